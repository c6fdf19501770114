package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
)

const secret = "a-secret-of-the-tests-of-32-bytes!"

// noon is the time of every test that does not say otherwise.
var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// testKeys are generated once: RSA keys take long.
type testKeys struct {
	rsa              *rsa.PrivateKey
	p256, p384, p521 *ecdsa.PrivateKey
	ed25519          ed25519.PrivateKey
}

var keys = sync.OnceValue(func() testKeys {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var k testKeys
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	k.p521, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(err)
	_, k.ed25519, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

// publicJWK renders the public half of a private key, with more members.
func publicJWK(t testing.TB, private crypto.Signer, members map[string]any) string {
	t.Helper()
	return jwkOf(t, private.Public(), members)
}

func jwkOf(t testing.TB, material any, members map[string]any) string {
	t.Helper()
	k, err := jwk.Import(material)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, members)
	if raw, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signRaw signs whatever header and payload it is given.
func signRaw(t testing.TB, header, payload, alg string, key any) string {
	t.Helper()
	signed := b64(header) + "." + b64(payload)
	sig, err := jwsbb.Sign(key, alg, []byte(signed), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(string(sig))
}

func sign(t testing.TB, alg string, key any, payload string) string {
	t.Helper()
	return signRaw(t, fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, alg), payload, alg, key)
}

func signKid(t testing.TB, alg, kid string, key any, payload string) string {
	t.Helper()
	return signRaw(t, fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid), payload, alg, key)
}

// hs256 signs with the tests' secret.
func hs256(t testing.TB, payload string) string {
	t.Helper()
	return sign(t, "HS256", []byte(secret), payload)
}

func newVerifier(t testing.TB, c auth.Config) *auth.Verifier {
	t.Helper()
	if c.Now == nil {
		c.Now = func() time.Time { return noon }
	}
	v, err := auth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustCall(t testing.TB, v *auth.Verifier, token string) *auth.Caller {
	t.Helper()
	c, err := v.Caller(t.Context(), "Bearer "+token)
	if err != nil {
		t.Fatalf("the token is refused: %v", err)
	}
	return c
}

// refused returns the error that a token gets.
func refused(t testing.TB, v *auth.Verifier, token string) *apierr.Error {
	t.Helper()
	c, err := v.Caller(t.Context(), "Bearer "+token)
	if c != nil || err == nil {
		t.Fatalf("the token is accepted as %+v, error %v", c, err)
	}
	e := apierr.From(err)
	if e == nil {
		t.Fatalf("not an *apierr.Error: %v", err)
	}
	return e
}
