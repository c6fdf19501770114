package auth_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
)

func TestEveryAlgorithmVerifies(t *testing.T) {
	k := keys()
	for alg, private := range map[string]crypto.Signer{
		"RS256": k.rsa, "RS384": k.rsa, "RS512": k.rsa,
		"PS256": k.rsa, "PS384": k.rsa, "PS512": k.rsa,
		"ES256": k.p256, "ES384": k.p384, "ES512": k.p521,
		"EdDSA": k.ed25519, "Ed25519": k.ed25519,
	} {
		t.Run(alg, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Secret: publicJWK(t, private, nil)})
			token := sign(t, alg, private, `{"role":"r"}`)
			if c := mustCall(t, v, token); c.Role != "r" {
				t.Errorf("role %q", c.Role)
			}
			tampered := b64(fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, alg)) + "." + b64(`{"role":"postgres"}`) + token[strings.LastIndex(token, "."):]
			if e := refused(t, v, tampered); e.Details != "None of the keys was able to decode the JWT" {
				t.Errorf("details %v", e.Details)
			}
		})
	}
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		t.Run(alg, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Secret: jwkOf(t, []byte(secret), nil)})
			mustCall(t, v, sign(t, alg, []byte(secret), `{"role":"r"}`))
			refused(t, v, sign(t, alg, []byte("another-"+secret), `{"role":"r"}`))
		})
	}
}

func TestCallerWithoutToken(t *testing.T) {
	v := newVerifier(t, auth.Config{AnonRole: `web "anon"`, Secret: secret})
	for _, header := range []string{"", "Basic dTpw", "Bearertoken", "Token bearer x", " Bearer x"} {
		c, err := v.Caller(t.Context(), header)
		if err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		if !c.Anonymous || !c.AnonRole || c.Role != `web "anon"` || string(c.Claims) != `{"role":"web \"anon\""}` {
			t.Errorf("%q: %+v %s", header, c, c.Claims)
		}
	}
}

func TestAnonymousAccessDisabled(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret})
	for _, header := range []string{"", "Bearer " + hs256(t, `{"sub":"no role"}`)} {
		_, err := v.Caller(t.Context(), header)
		e := apierr.From(err)
		if e == nil || e.Code != "PGRST302" || e.Message != "Anonymous access is disabled" ||
			e.HTTPStatus() != 401 || e.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: %+v", header, e)
		}
	}
}

func TestBearerScheme(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret})
	token := hs256(t, `{"role":"r"}`)
	for _, header := range []string{"Bearer " + token, "bearer " + token, "BEARER   " + token, "Bearer\t" + token} {
		if c, err := v.Caller(t.Context(), header); err != nil || c.Role != "r" {
			t.Errorf("%q: %v", header[:8], err)
		}
	}
}

func TestCallerOfToken(t *testing.T) {
	v := newVerifier(t, auth.Config{AnonRole: "anon", Secret: secret})
	c := mustCall(t, v, hs256(t, `{"sub":"u1","role":"author","exp":1893499200}`))
	want := auth.Caller{Role: "author", Subject: "u1", Expires: time.Unix(1893499200, 0), Claims: c.Claims}
	if c.Role != want.Role || c.Subject != want.Subject || !c.Expires.Equal(want.Expires) || c.Anonymous || c.AnonRole {
		t.Errorf("%+v", c)
	}
	if c := mustCall(t, v, hs256(t, `{"sub":7}`)); c.Role != "anon" || c.Anonymous || !c.AnonRole || c.Subject != "" || !c.Expires.IsZero() {
		t.Errorf("without a role: %+v", c)
	}
	if c := mustCall(t, v, hs256(t, `{"role":"anon"}`)); !c.AnonRole || c.Anonymous {
		t.Errorf("with the anonymous role: %+v", c)
	}
}

func TestClaimsJSON(t *testing.T) {
	for name, test := range map[string]struct{ payload, want string }{
		"numbers as sent":   {`{"role":"r","n":9007199254740993,"f":1.10,"e":1E400}`, `{"e":1E400,"f":1.10,"n":9007199254740993,"role":"r"}`},
		"compact":           {"{ \"role\" : \"r\" , \"a\" : [ 1, {\"b\": null} ] }\n", `{"a":[1,{"b":null}],"role":"r"}`},
		"no role":           {`{"a":1}`, `{"a":1,"role":"anon"}`},
		"role not a string": {`{"role":12345678901234567890}`, `{"role":"12345678901234567890"}`},
		"role null":         {`{"role":null}`, `{"role":"null"}`},
		"role object":       {`{"role":{"b":1}}`, `{"role":"{\"b\":1}"}`},
		"last duplicate":    {`{"role":"first","role":"last","a":1,"a":2}`, `{"a":2,"role":"last"}`},
		"exact names":       {`{"Role":"x","ROLE":"y"}`, `{"ROLE":"y","Role":"x","role":"anon"}`},
		"no HTML escapes":   {`{"role":"r","u":"https://x?a=1&b=<2>"}`, `{"role":"r","u":"https://x?a=1&b=<2>"}`},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, auth.Config{AnonRole: "anon", Secret: secret})
			c := mustCall(t, v, hs256(t, test.payload))
			if string(c.Claims) != test.want {
				t.Errorf("got  %s\nwant %s", c.Claims, test.want)
			}
			if !json.Valid(c.Claims) {
				t.Error("not JSON")
			}
		})
	}
}

func TestRoleNoneIsRefused(t *testing.T) {
	v := newVerifier(t, auth.Config{AnonRole: "anon", Secret: secret})
	e := refused(t, v, hs256(t, `{"role":"none"}`))
	if e.Code != "22023" || e.Message != `role "none" does not exist` || e.HTTPStatus() != 401 {
		t.Errorf("%+v", e)
	}
}

func TestRoleClaimKey(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret, RoleClaimKey: "$.realm.roles[-1]"})
	c := mustCall(t, v, hs256(t, `{"role":"postgres","realm":{"roles":["a","b"]}}`))
	if c.Role != "b" || string(c.Claims) != `{"realm":{"roles":["a","b"]},"role":"b"}` {
		t.Errorf("%q %s", c.Role, c.Claims)
	}
}

func TestSecretForms(t *testing.T) {
	raw := "\x00binary secret of more than 32 bytes \xff\xfe"
	token := sign(t, "HS256", []byte(raw), `{"role":"r"}`)
	for _, encoded := range []string{
		base64.StdEncoding.EncodeToString([]byte(raw)),
		base64.RawURLEncoding.EncodeToString([]byte(raw)),
		strings.ReplaceAll(base64.URLEncoding.EncodeToString([]byte(raw)), "=", "."),
		" " + base64.StdEncoding.EncodeToString([]byte(raw)) + "\n",
	} {
		mustCall(t, newVerifier(t, auth.Config{Secret: encoded, SecretIsBase64: true}), token)
	}
	set := fmt.Sprintf(`{"keys":[{"kty":"unknown"},%s,%s]}`, publicJWK(t, keys().rsa, nil), jwkOf(t, []byte(secret), nil))
	v := newVerifier(t, auth.Config{Secret: set})
	mustCall(t, v, hs256(t, `{"role":"r"}`))
	mustCall(t, v, sign(t, "RS256", keys().rsa, `{"role":"r"}`))
	if n := v.KeyStatus().Keys; n != 2 {
		t.Errorf("%d keys", n)
	}
	private := jwkOf(t, keys().p256, nil)
	mustCall(t, newVerifier(t, auth.Config{Secret: private}), sign(t, "ES256", keys().p256, `{"role":"r"}`))
}

func TestKeyStatusOfStaticKeys(t *testing.T) {
	if s := newVerifier(t, auth.Config{}).KeyStatus(); s.Source != auth.NoKeys || !s.Ready {
		t.Errorf("no secret: %+v", s)
	}
	v := newVerifier(t, auth.Config{Secret: secret})
	if s := v.KeyStatus(); s.Source != auth.StaticKeys || !s.Ready || s.Keys != 1 {
		t.Errorf("secret: %+v", s)
	}
	if err := v.Run(t.Context()); err != nil {
		t.Errorf("Run: %v", err)
	}
}
