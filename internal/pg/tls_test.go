package pg_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestTLS(t *testing.T) {
	cluster := startCluster(t, devdb.Options{Dir: clusterDir(t), TCP: true})
	data := filepath.Join(cluster.Dir(), "data")
	certify(t, data)
	super := cluster.DSN("postgres")
	pgtest.Exec(t, super, "alter system set ssl = on", "select pg_reload_conf()")
	const tls = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
	for mode, works := range map[string]bool{
		"sslmode=require": true, "sslmode=verify-full&sslrootcert=" + filepath.Join(data, "server.crt"): true,
		"sslmode=verify-full": false,
	} {
		dsn := cluster.TCPDSN("postgres") + "?" + mode
		// The server has turned TLS on when one of its sessions has.
		eventually(t, "encrypted", func() bool {
			return pgtest.Value(t, cluster.TCPDSN("postgres")+"?sslmode=prefer", tls) == "t"
		})
		db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
		g, err := tryRead(t.Context(), db, as("postgres"), tls)
		var unreachable *pg.ConnectError
		if !works {
			if !errors.As(err, &unreachable) {
				t.Errorf("%s: %v", mode, err)
			}
			continue
		}
		if err != nil || g.rows[0][0] != "t" {
			t.Fatalf("%s: %v %v", mode, g.rows, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := tryRead(ctx, db, as("postgres"), "select pg_sleep(600)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", mode, err)
		}
		cancel()
		until(t, super, sleepers, "0")
		s := &sum{}
		echo := statement("select $1::text", strings.Repeat("x", 8<<20))
		if err := db.Read(t.Context(), as("postgres"), []pg.Statement{echo, echo}, s); err != nil || s.bytes != 16<<20 {
			t.Errorf("%s: %d bytes, %v", mode, s.bytes, err)
		}
	}
}

// clusterDir is a directory for a server of the test's own.
func clusterDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slipstream-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := devdb.Remove(context.Background(), dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// certify puts a certificate for 127.0.0.1 where the server looks for it.
func certify(t *testing.T, data string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	who := owner.Sys().(*syscall.Stat_t)
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: cert}, "server.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		file := filepath.Join(data, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(file, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}
