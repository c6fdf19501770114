package slipstream

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/slipstream-go/slipstream/internal/redis"
)

// minSecret is the shortest key that HMAC-SHA-256 may have (RFC 7518 section 3.2), in bytes.
const minSecret = 32

// Validate returns all problems joined, one line each, or nil. Each line names the option and says what to do.
func (c Config) Validate() error {
	var problems []error
	for _, o := range optionTable() {
		if err := o.bind(&c).check(); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", o.name, err))
		}
	}
	return errors.Join(append(problems, c.conflicts()...)...)
}

// conflicts are the problems that the table's checks of single values do not see.
func (c Config) conflicts() []error {
	c = c.WithDefaults()
	var problems []error
	add := func(name string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	add("db-uri", checkConnection(c.DBURI))
	if c.RedisURL != "" {
		_, err := redis.Open(redis.Options{URL: c.RedisURL})
		add("redis-url", err)
	}
	add("db-schemas", checkSchemas(c.DBSchemas))
	add("db-pre-request-reads", c.checkPreRequestReads())
	add("jwt-secret", checkSecret(c.JWTSecret, c.JWTSecretIsBase64))
	add("jwt-aud", checkAudience(c.JWTAud))
	add("cursor-secret", checkLength(c.CursorSecret))
	if c.ConsistencyTokens == "on" && c.consistencyKey() == nil {
		add("consistency-tokens", errors.New("there is no key to sign tokens with; set cursor-secret, to the same on all instances"))
	}
	add("cache-purge-url", c.checkPurging())
	add("cache-purge-header", checkHeader(c.CachePurgeHeader))
	add(limitsOption, c.checkLimits())
	add("limits-ipv6-prefix", c.checkIPv6Prefix())
	add("server-trusted-proxies", c.checkProxies())
	add("server-trusted-header", checkHeader(c.ServerTrustedHeader))
	add("server-host", checkHost(c.ServerHost))
	add("admin-server-host", checkHost(c.AdminServerHost))
	add("admin-server-port", c.checkAdminPort())
	add("server-trace-header", checkHeader(c.ServerTraceHeader))
	add("openapi-server-proxy-uri", checkHTTP(c.OpenAPIServerProxyURI))
	add("otlp-endpoint", checkEndpoint(c.OTLPEndpoint))
	return problems
}

// checkConnection tells the two forms apart as libpq does. It does not repeat the value, which may hold a password.
func checkConnection(s string) error {
	if strings.HasPrefix(s, "postgresql://") || strings.HasPrefix(s, "postgres://") || strings.Contains(s, "=") {
		return nil
	}
	return errors.New("not a connection string; write postgres://user@host:5432/database, or key=value pairs")
}

func checkSchemas(schemas []string) error {
	for _, s := range schemas {
		if s == "pg_catalog" || s == "information_schema" {
			return fmt.Errorf("%s cannot be exposed; remove it", s)
		}
	}
	if len(schemas) == 0 {
		return errors.New("the list is empty; name the schema to expose")
	}
	return nil
}

func checkSecret(s string, isBase64 bool) error {
	if s == "" || strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return nil
	}
	if isBase64 {
		raw, err := decodeBase64(s)
		if err != nil {
			return errors.New("not base64; correct it, or set jwt-secret-is-base64 to false")
		}
		s = string(raw)
	}
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		if !json.Valid([]byte(s)) {
			return errors.New("not JSON, though it begins with {; write a whole JWK or JWK set")
		}
		return nil
	}
	return checkLength(s)
}

// decodeBase64 takes both alphabets, with or without padding, for which PostgREST also lets "." stand.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("_", "/", "-", "+", ".", "=").Replace(strings.TrimSpace(s))
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

func checkLength(secret string) error {
	if secret == "" || len(secret) >= minSecret {
		return nil
	}
	return fmt.Errorf("too short with %d bytes; write at least %d, as from: openssl rand -base64 32", len(secret), minSecret)
}

// checkAudience follows RFC 7519 section 2: a text with a colon must be a URI.
func checkAudience(s string) error {
	if !strings.Contains(s, ":") {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Scheme == "" || strings.ContainsAny(s, " \"<>\\^`{|}") {
		return fmt.Errorf("%q has a colon but is not a URI; correct it", s)
	}
	return nil
}

func checkHost(s string) error {
	switch {
	case s == "*" || s == "*4" || s == "!4" || s == "*6" || s == "!6" || net.ParseIP(s) != nil:
		return nil
	case strings.ContainsAny(s, " /:*!@?#[]"):
		return fmt.Errorf("%q is not a host; write an address without port, a name, or *, *4, !4, *6, !6", s)
	}
	return nil
}

func (c Config) checkAdminPort() error {
	tcp := c.ServerUnixSocket == "" && c.AdminServerUnixSocket == ""
	if tcp && c.ServerPort > 0 && c.ServerPort == c.AdminServerPort {
		return fmt.Errorf("%d is server-port too; choose another, or off", c.AdminServerPort)
	}
	return nil
}

// checkHeader wants a token (RFC 9110 section 5.6.2).
func checkHeader(s string) error {
	for _, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return fmt.Errorf("%q is not the name of a header field; write one such as X-Request-Id", s)
		}
	}
	return nil
}

func checkHTTP(s string) error {
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("not an address; write one such as https://example.com:8443/base")
	}
	return nil
}

func checkEndpoint(s string) error {
	if strings.Contains(s, "://") {
		return checkHTTP(s)
	}
	if _, _, err := net.SplitHostPort(s); s != "" && err != nil {
		return errors.New("not an endpoint; write http://host:4318 for HTTP, or host:4317 for gRPC")
	}
	return nil
}
