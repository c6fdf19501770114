package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
)

// FuzzCaller sends any Authorization header: nobody without the secret may get
// another role than the anonymous one, and no refusal may be a server's error.
func FuzzCaller(f *testing.F) {
	for _, seed := range []string{
		"", "Bearer", "Bearer a.b.c", "Basic x", "Bearer " + hs256(f, `{"role":"r"}`),
		"Bearer " + b64(`{"alg":"none"}`) + ".e30.",
	} {
		f.Add(seed)
	}
	v := newVerifier(f, auth.Config{AnonRole: "anon", Secret: jwkOf(f, keys().ed25519.Public(), nil)})
	f.Fuzz(func(t *testing.T, authorization string) {
		c, err := v.Caller(t.Context(), authorization)
		if err != nil {
			if e := apierr.From(err); e == nil || e.HTTPStatus() != 401 {
				t.Errorf("%v", err)
			}
			return
		}
		if !c.Anonymous || c.Role != "anon" {
			t.Errorf("accepted as %+v", c)
		}
	})
}

// FuzzToken signs any header and payload: what is accepted must have claims that
// PostgreSQL can read, with the role in them.
func FuzzToken(f *testing.F) {
	f.Add(`{"alg":"HS256"}`, `{"role":"r","exp":1893499200,"aud":["a"],"sub":"s"}`)
	f.Add(`{"alg":"HS256","kid":null,"typ":"JWT"}`, `{"role":{"a":[1e5,null]},"x":"\u0000\ud800"}`)
	f.Add(`{"alg":"HS256","crit":[]}`, "null")
	v := newVerifier(f, auth.Config{AnonRole: "anon", Secret: secret, CacheMaxEntries: 10})
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := signRaw(t, header, payload, "HS256", []byte(secret))
		c, err := v.Caller(t.Context(), "Bearer "+token)
		if err != nil {
			if e := apierr.From(err); e == nil || e.HTTPStatus() != 401 {
				t.Errorf("%v", err)
			}
			return
		}
		var claims struct {
			Role string `json:"role"`
		}
		if err := json.Unmarshal(c.Claims, &claims); err != nil {
			t.Errorf("%s: %v", c.Claims, err)
		}
		var sent map[string]any
		if json.Unmarshal([]byte(payload), &sent) != nil {
			t.Errorf("accepted %q", payload)
		}
		if again := mustCall(t, v, token); again != c {
			t.Error("not remembered")
		}
		// Another spelling of the same bytes must not pass.
		last := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[last+1:])
		if err != nil {
			t.Fatal(err)
		}
		signature[0] ^= 1
		refused(t, v, token[:last+1]+base64.RawURLEncoding.EncodeToString(signature))
	})
}
