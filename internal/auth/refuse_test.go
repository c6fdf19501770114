package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"

	"github.com/slipstream-go/slipstream/internal/auth"
)

const (
	noSuitable = "No suitable key was found to decode the JWT"
	noneOf     = "None of the keys was able to decode the JWT"
)

func TestMalformedTokens(t *testing.T) {
	good := hs256(t, `{"role":"r"}`)
	parts := strings.Split(good, ".")
	withHeader := func(header string) string {
		return signRaw(t, header, `{"role":"r"}`, "HS256", []byte(secret))
	}
	for name, test := range map[string]struct {
		token, message string
		details        any
	}{
		"empty":              {"", "Empty JWT is sent in Authorization header", nil},
		"one part":           {"x", "Expected 3 parts in JWT; got 1", nil},
		"two parts":          {parts[0] + "." + parts[1], "Expected 3 parts in JWT; got 2", nil},
		"encrypted token":    {"a.b.c.d.e", "Expected 3 parts in JWT; got 5", nil},
		"random":             {"quifquirndsjagnrgniur.fonvoienqhhdj.iuqvnvhojah", "JWT cryptographic operation failed", nil},
		"truncated":          {good[:len(good)-3], "No suitable key or wrong key type", noneOf},
		"cut signature":      {parts[0] + "." + parts[1] + ".", "No suitable key or wrong key type", noneOf},
		"padded":             {good + "=", "JWT cryptographic operation failed", nil},
		"huge":               {hs256(t, `{"role":"`+strings.Repeat("r", 70_000)+`"}`), "JWT is too long", "At most 65536 bytes are accepted"},
		"alg none":           {b64(`{"typ":"JWT","alg":"none"}`) + ".e30.", "Wrong or unsupported encoding algorithm", "JWT is unsecured but expected 'alg' was not 'none'"},
		"alg None":           {b64(`{"alg":"None"}`) + ".e30.", "JWT cryptographic operation failed", nil},
		"alg of other case":  {withHeader(`{"alg":"hs256"}`), "JWT cryptographic operation failed", nil},
		"ALG":                {withHeader(`{"ALG":"HS256"}`), "JWT cryptographic operation failed", nil},
		"alg not a string":   {withHeader(`{"alg":["HS256"]}`), "JWT cryptographic operation failed", nil},
		"no alg":             {withHeader(`{}`), "JWT cryptographic operation failed", nil},
		"header null":        {withHeader(`null`), "JWT cryptographic operation failed", nil},
		"header not UTF-8":   {withHeader("{\"alg\":\"HS256\",\"x\":\"\xff\"}"), "JWT cryptographic operation failed", nil},
		"last alg counts":    {withHeader(`{"alg":"HS256","alg":"none"}`), "Wrong or unsupported encoding algorithm", "JWT is unsecured but expected 'alg' was not 'none'"},
		"kid not a string":   {withHeader(`{"alg":"HS256","kid":7}`), "JWT cryptographic operation failed", nil},
		"crit":               {withHeader(`{"alg":"HS256","crit":["b64"],"b64":true}`), "Wrong or unsupported encoding algorithm", "JWT has critical header parameters, and none are supported"},
		"nested":             {withHeader(`{"alg":"HS256","cty":"JWT"}`), "Unsupported token type", nil},
		"kid without a key":  {signKid(t, "HS256", "k1", []byte(secret), `{"role":"r"}`), "No suitable key or wrong key type", noSuitable},
		"other algorithm":    {sign(t, "HS512", []byte(secret), `{"role":"r"}`), "No suitable key or wrong key type", noSuitable},
		"asymmetric":         {sign(t, "RS256", keys().rsa, `{"role":"r"}`), "No suitable key or wrong key type", noSuitable},
		"tampered payload":   {parts[0] + "." + b64(`{"role":"postgres"}`) + "." + parts[2], "No suitable key or wrong key type", noneOf},
		"tampered header":    {b64(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2], "No suitable key or wrong key type", noneOf},
		"payload not base64": {parts[0] + ".!." + parts[2], "JWT cryptographic operation failed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, auth.Config{AnonRole: "anon", Secret: secret})
			e := refused(t, v, test.token)
			if e.Code != "PGRST301" || e.Message != test.message || e.Details != test.details || e.HTTPStatus() != 401 {
				t.Errorf("%s %q, details %v, status %d", e.Code, e.Message, e.Details, e.HTTPStatus())
			}
			want := `Bearer error="invalid_token", error_description="` + test.message + `"`
			if got := e.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("WWW-Authenticate: %s", got)
			}
		})
	}
}

func TestNoSecret(t *testing.T) {
	v := newVerifier(t, auth.Config{AnonRole: "anon"})
	for _, token := range []string{"", "x", hs256(t, `{"role":"r"}`)} {
		e := refused(t, v, token)
		if e.Code != "PGRST300" || e.Message != "Server lacks JWT secret" || e.HTTPStatus() != 500 || e.Header != nil {
			t.Errorf("%+v", e)
		}
	}
}

// An attacker knows public keys. Whatever spelling of one they use as an HMAC
// secret, it must not verify.
func TestPublicKeyIsNoSecret(t *testing.T) {
	public := publicJWK(t, keys().rsa, nil)
	pkix, err := x509.MarshalPKIXPublicKey(keys().rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	v := newVerifier(t, auth.Config{Secret: public})
	for _, guess := range [][]byte{[]byte(public), pkix, block, keys().rsa.N.Bytes()} {
		for _, alg := range []string{"HS256", "HS384", "HS512"} {
			if e := refused(t, v, sign(t, alg, guess, `{"role":"postgres"}`)); e.Details != noSuitable {
				t.Errorf("%s: details %v", alg, e.Details)
			}
		}
	}
}

func TestKeysAreBoundToAlgorithms(t *testing.T) {
	k := keys()
	for name, test := range map[string]struct {
		jwk, alg string
		key      any
	}{
		"alg of the JWK":    {publicJWK(t, k.rsa, map[string]any{"alg": "RS256"}), "PS256", k.rsa},
		"alg of oct":        {jwkOf(t, []byte(secret), map[string]any{"alg": "HS512"}), "HS256", []byte(secret)},
		"curve of ES384":    {publicJWK(t, k.p384, nil), "ES256", k.p256},
		"another RSA key":   {publicJWK(t, k.p256, nil), "RS256", k.rsa},
		"Ed25519 for ES256": {publicJWK(t, k.ed25519, nil), "ES256", k.p256},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Secret: test.jwk})
			if e := refused(t, v, sign(t, test.alg, test.key, `{"role":"r"}`)); e.Details != noSuitable {
				t.Errorf("details %v", e.Details)
			}
		})
	}
}

func TestKid(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, auth.Config{Secret: `{"keys":[` +
		publicJWK(t, keys().rsa, map[string]any{"kid": "a"}) + "," +
		publicJWK(t, other, map[string]any{"kid": "b"}) + `]}`})
	mustCall(t, v, signKid(t, "RS256", "a", keys().rsa, `{"role":"r"}`))
	mustCall(t, v, signKid(t, "RS256", "b", other, `{"role":"r"}`))
	mustCall(t, v, sign(t, "RS256", other, `{"role":"r"}`))
	if e := refused(t, v, signKid(t, "RS256", "b", keys().rsa, `{"role":"r"}`)); e.Details != noneOf {
		t.Errorf("another key's kid: %v", e.Details)
	}
	if e := refused(t, v, signKid(t, "RS256", "c", keys().rsa, `{"role":"r"}`)); e.Details != noSuitable {
		t.Errorf("unknown kid: %v", e.Details)
	}
}

// An ECDSA signature of zeros passed for any payload in Java's CVE-2022-21449.
func TestZeroSignature(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: publicJWK(t, keys().p256, nil)})
	refused(t, v, b64(`{"alg":"ES256"}`)+"."+b64(`{"role":"r"}`)+"."+b64(string(make([]byte, 64))))
}

// JWS wants the two numbers of an ECDSA signature side by side, not in ASN.1.
func TestASN1SignatureIsRefused(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: publicJWK(t, keys().p256, nil)})
	signed := b64(`{"alg":"ES256"}`) + "." + b64(`{"role":"r"}`)
	raw, err := jwsbb.Sign(keys().p256, "ES256", []byte(signed), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mustCall(t, v, signed+"."+b64(string(raw)))
	hash := make([]byte, 32)
	asn1, err := ecdsa.SignASN1(rand.Reader, keys().p256, hash)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, v, signed+"."+b64(string(asn1)))
}

func TestConfigErrors(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short := "31-bytes-are-too-short-for-this"
	for name, test := range map[string]struct {
		config auth.Config
		want   string
	}{
		"short secret":     {auth.Config{Secret: short}, "jwt-secret: the JWT secret must be at least 32 characters long"},
		"short after b64":  {auth.Config{Secret: "c2hvcnQ=", SecretIsBase64: true}, "jwt-secret: the JWT secret must be at least 32 characters long"},
		"not base64":       {auth.Config{Secret: secret + "!", SecretIsBase64: true}, "jwt-secret: the JWT secret is not valid base64"},
		"short oct":        {auth.Config{Secret: jwkOf(t, []byte(short), nil)}, "jwt-secret: the JWK cannot be used: a symmetric key must be at least 32 bytes long"},
		"small RSA":        {auth.Config{Secret: `{"kty":"RSA","e":"AQAB","n":"` + b64(string(small.N.Bytes())) + `"}`}, "jwt-secret: the JWK cannot be used: not a JWK of a known type with valid parameters (RSA keys have 2048 bits or more)"},
		"use enc":          {auth.Config{Secret: publicJWK(t, keys().rsa, map[string]any{"use": "enc"})}, `jwt-secret: the JWK cannot be used: its use is not "sig"`},
		"key_ops sign":     {auth.Config{Secret: publicJWK(t, keys().rsa, map[string]any{"key_ops": []string{"sign"}})}, `jwt-secret: the JWK cannot be used: its key_ops lack "verify"`},
		"alg of other kty": {auth.Config{Secret: publicJWK(t, keys().rsa, map[string]any{"alg": "HS256"})}, "jwt-secret: the JWK cannot be used: its alg does not fit its type or is not supported"},
		"alg of JWE":       {auth.Config{Secret: publicJWK(t, keys().rsa, map[string]any{"alg": "RSA-OAEP"})}, "jwt-secret: the JWK cannot be used: its alg does not fit its type or is not supported"},
		"some JSON":        {auth.Config{Secret: `{"n":"a public key with a typing error, long enough"}`}, "jwt-secret: the JWK cannot be used: not a JWK of a known type"},
		"empty set":        {auth.Config{Secret: `{"keys":[]}`}, "jwt-secret: the JWK set has no usable key"},
		"unusable set":     {auth.Config{Secret: `{"keys":[{"kty":"x"}]}`}, "jwt-secret: the JWK set has no usable key: key 1: not a JWK of a known type"},
		"keys no array":    {auth.Config{Secret: `{"keys":7}`}, "jwt-secret: not a JWK set"},
		"http":             {auth.Config{Secret: "http://user:pw@issuer.example/jwks"}, "jwt-secret: the address of a JWK set must be https, except on loopback hosts"},
		"no host":          {auth.Config{Secret: "https:///jwks"}, "jwt-secret: the address of the JWK set has no host"},
		"bad URL":          {auth.Config{Secret: "https://[::1"}, "jwt-secret: the address of the JWK set is not a valid URL"},
		"aud":              {auth.Config{Audience: "://x"}, `jwt-aud: "://x" has a colon, but is not a URI`},
		"role path":        {auth.Config{RoleClaimKey: "$.a["}, `jwt-role-claim-key: a quoted name, an index, a slice, * or ?filter is missing at character 5 of "$.a["`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.New(test.config)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// Whatever goes wrong, neither an error nor the log may show a secret or token.
func TestSecretsStaySecret(t *testing.T) {
	canary := "CANARY-in-the-secret"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	check := func(err error) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error shows it: %v", err)
		}
	}
	for _, c := range []auth.Config{
		{Secret: canary},
		{Secret: canary + "!!!", SecretIsBase64: true},
		{Secret: `{"kty":"oct","k":"` + canary + `"}`},
		{Secret: `{"kty":"oct","k":7,"kid":"` + canary + `"}`},
		{Secret: `{"keys":[{"kty":"oct","k":"` + canary + `"},{"kty":"` + canary + `"}]}`},
		{Secret: "http://u:" + canary + "@issuer.example/"},
		{Secret: "https://u:" + canary + "@[::1"},
	} {
		c.Logger = logger
		_, err := auth.New(c)
		check(err)
	}
	long := canary + canary
	v := newVerifier(t, auth.Config{
		Secret: `{"keys":[{"kty":"` + canary + `"},` + jwkOf(t, []byte(long), nil) + `]}`, Logger: logger,
	})
	for _, token := range []string{
		sign(t, "HS256", []byte(long), `{"exp":1,"x":"`+canary+`"}`), canary, canary + "." + canary + "." + canary,
	} {
		e := refused(t, v, token)
		check(e)
		if body := e.JSON(0); bytes.Contains(body, []byte(canary)) {
			t.Errorf("the answer shows it: %s", body)
		}
	}
	if !strings.Contains(log.String(), "cannot be used") {
		t.Error("the unusable key is not logged")
	}
	if strings.Contains(log.String(), canary) {
		t.Errorf("the log shows it: %s", &log)
	}
	status, err := json.Marshal(v.KeyStatus())
	if err != nil || bytes.Contains(status, []byte(canary)) {
		t.Errorf("the status shows it: %s %v", status, err)
	}
}
