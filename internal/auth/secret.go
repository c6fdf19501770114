package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// isURL tells whether the secret is the address of a JWK set.
func isURL(secret string) bool {
	return strings.HasPrefix(secret, "https://") || strings.HasPrefix(secret, "http://")
}

// parseSecret reads jwt-secret: text, a JWK, or a JWK set, of which skipped are
// the keys that cannot be used. Errors never contain a part of the secret.
func parseSecret(secret string, isBase64 bool) (keys []key, skipped []error, err error) {
	raw := []byte(secret)
	if isBase64 {
		if raw, err = decodeBase64(secret); err != nil {
			return nil, nil, err
		}
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		k, err := secretKey(raw)
		return []key{k}, nil, err
	}
	// A JSON object is never taken for a passphrase: a public key with a typing
	// error would become a secret that everybody knows.
	if _, ok := object["keys"]; ok {
		return parseKeySet(raw, nil)
	}
	k, err := newKey(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("the JWK cannot be used: %w", err)
	}
	return []key{k}, nil, nil
}

// decodeBase64 accepts both alphabets, with or without padding, and PostgREST's
// "." for "=".
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("_", "/", "-", "+", ".", "").Replace(strings.TrimSpace(s))
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, errors.New("the JWT secret is not valid base64")
	}
	return raw, nil
}

// parseKeySet reads the keys of a JWK set. Those that cannot be used, or that
// accept (if given) refuses, are left out with their reasons (RFC 7517 section 5);
// a set of which nothing is left is an error.
func parseKeySet(raw []byte, accept func(key) error) (keys []key, skipped []error, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, nil, errors.New("not a JWK set")
	}
	for i, one := range set.Keys {
		k, err := newKey(one)
		if err == nil && accept != nil {
			err = accept(k)
		}
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("the JWK set has no usable key: %w", errors.Join(skipped...))
	}
	return keys, skipped, nil
}

// onlyPublic refuses symmetric keys: who can fetch one could sign with it.
func onlyPublic(k key) error {
	if _, ok := k.material.([]byte); ok {
		return errors.New("a symmetric key in a published key set")
	}
	return nil
}

// checkURL demands https, because who can change the answer can become anyone.
// http is for the machine itself.
func checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case host == "":
		return errors.New("the address of the JWK set has no host")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(host):
		return nil
	}
	return errors.New("the address of a JWK set must be https, except on loopback hosts")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
