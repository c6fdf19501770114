package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/devdb/shop"
)

// devSecret is the JWT secret of the data in dir, made at the first start, so that tokens outlive a restart.
func devSecret(dir string) (string, error) {
	path := filepath.Join(dir, "jwt-secret")
	b, err := os.ReadFile(path)
	if err == nil && len(b) >= 32 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the sample's secret: %w", err)
	}
	secret := rand.Text() + rand.Text()
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		return "", fmt.Errorf("keep the sample's secret: %w", err)
	}
	return secret, nil
}

// sampleCustomer is the customer that the welcome's token is for: the one with the most orders.
const sampleCustomer = 1

// sampleToken is valid for 30 days.
func sampleToken(secret string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"role": shop.CustomerRole, shop.CustomerClaim: sampleCustomer, "exp": now.Add(30 * 24 * time.Hour).Unix(),
	})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil)), nil
}

func devWelcome(out io.Writer, server *slipstream.Server, cluster *devdb.Cluster, secret string) {
	token, err := sampleToken(secret, time.Now())
	if err != nil {
		fmt.Fprintln(out, "no sample token:", err)
		return
	}
	fmt.Fprintf(out, `
  API      http://%[1]s
  Admin    http://%[2]s   (/ready /metrics /cache /schema_cache /debug/pprof/)
  psql     psql '%[3]s'
  Token of customer %[4]d:

export TOKEN=%[5]s

  Worth trying:

curl 'http://%[1]s/products?select=name,price,rating,brands(name)&order=price.desc&limit=3'
curl 'http://%[1]s/rpc/search_products?query=wool&select=name,price&limit=5'
curl 'http://%[1]s/orders?select=placed_at,status,total,order_items(quantity,products(name))&limit=2' -H "Authorization: Bearer $TOKEN"
curl -i 'http://%[1]s/products?select=id,name&order=name&limit=5' -H 'Prefer: pagination=cursor'
curl 'http://%[1]s/products?select=...categories(category:name),count(),price.avg()&limit=5'

  Ctrl-C stops all of it; the data stays in %[6]s.
`, server.Addr(), server.AdminAddr(), cluster.TCPDSN(devDatabase), sampleCustomer, token, cluster.Dir())
}
