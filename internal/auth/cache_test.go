package auth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
)

func tokenOf(t testing.TB, i int) string {
	t.Helper()
	return hs256(t, fmt.Sprintf(`{"role":"r","sub":"%d"}`, i))
}

// remembered tells whether the verifier returns the very same caller again.
func remembered(t *testing.T, v *auth.Verifier, token string) bool {
	t.Helper()
	first := mustCall(t, v, token)
	return mustCall(t, v, token) == first
}

func TestCacheRemembers(t *testing.T) {
	token := tokenOf(t, 1)
	if !remembered(t, newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: 1}), token) {
		t.Error("not remembered")
	}
	off := newVerifier(t, auth.Config{Secret: secret})
	if remembered(t, off, token) || off.KeyStatus().CacheEntries != 0 {
		t.Error("remembered although switched off")
	}
}

func TestCacheIsBounded(t *testing.T) {
	for _, bounds := range []struct{ entries, bytes, tokens int }{
		{entries: 3, tokens: 20},
		{entries: 2048, tokens: 3000},
		{entries: 1000, bytes: 10_000, tokens: 100},
	} {
		v := newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: bounds.entries, CacheMaxBytes: bounds.bytes})
		for i := range bounds.tokens {
			mustCall(t, v, tokenOf(t, i))
		}
		s := v.KeyStatus()
		if s.CacheEntries == 0 || s.CacheEntries > bounds.entries || bounds.bytes > 0 && s.CacheBytes > bounds.bytes {
			t.Errorf("%+v: %d entries, %d bytes", bounds, s.CacheEntries, s.CacheBytes)
		}
	}
}

func TestCacheLeavesOutWhatIsTooLarge(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: 10, CacheMaxBytes: 4096})
	small := tokenOf(t, 1)
	kept := mustCall(t, v, small)
	mustCall(t, v, hs256(t, `{"role":"r","x":"`+strings.Repeat("x", 5000)+`"}`))
	if mustCall(t, v, small) != kept || v.KeyStatus().CacheEntries != 1 {
		t.Errorf("%+v", v.KeyStatus())
	}
}

// What is used stays, whatever passes by once: tokens that cannot be verified
// are not remembered at all, and those seen once go first.
func TestUsedTokensStay(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: 10, AnonRole: "anon"})
	used := make([]*auth.Caller, 5)
	for i := range used {
		used[i] = mustCall(t, v, tokenOf(t, i))
		mustCall(t, v, tokenOf(t, i))
	}
	for i := range 200 {
		refused(t, v, fmt.Sprintf("garbage%d.e30.x", i))
		refused(t, v, hs256(t, fmt.Sprintf(`{"exp":1,"n":%d}`, i)))
	}
	if n := v.KeyStatus().CacheEntries; n != len(used) {
		t.Errorf("%d entries after garbage", n)
	}
	for i := range 200 {
		mustCall(t, v, tokenOf(t, 1000+i))
		for j := range used {
			if mustCall(t, v, tokenOf(t, j)) != used[j] {
				t.Fatalf("token %d is gone after %d others", j, i+1)
			}
		}
	}
}

func TestCacheConcurrently(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: 4})
	tokens := make([]string, 8)
	for i := range tokens {
		tokens[i] = tokenOf(t, i)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 400 {
				n := (i*7 + g) % len(tokens)
				c, err := v.Caller(t.Context(), "Bearer "+tokens[n])
				if err != nil || c.Subject != fmt.Sprint(n) {
					t.Errorf("token %d: %v %v", n, c, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := v.KeyStatus().CacheEntries; n > 4 {
		t.Errorf("%d entries", n)
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: 10, AnonRole: "anon"})
	for name, header := range map[string]string{"token": "Bearer " + tokenOf(t, 1), "anonymous": ""} {
		allocations := testing.AllocsPerRun(100, func() {
			if _, err := v.Caller(t.Context(), header); err != nil {
				t.Fatal(err)
			}
		})
		if allocations > 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}

func BenchmarkCaller(b *testing.B) {
	rsaToken := "Bearer " + sign(b, "RS256", keys().rsa, `{"role":"r","sub":"u"}`)
	rsaKey := publicJWK(b, keys().rsa, nil)
	for name, c := range map[string]struct {
		config auth.Config
		header string
	}{
		"anonymous":   {auth.Config{AnonRole: "anon"}, ""},
		"cached":      {auth.Config{Secret: secret, CacheMaxEntries: 1000}, "Bearer " + tokenOf(b, 1)},
		"HS256":       {auth.Config{Secret: secret}, "Bearer " + tokenOf(b, 1)},
		"RS256":       {auth.Config{Secret: rsaKey}, rsaToken},
		"RS256cached": {auth.Config{Secret: rsaKey, CacheMaxEntries: 1000}, rsaToken},
	} {
		b.Run(name, func(b *testing.B) {
			v := newVerifier(b, c.config)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := v.Caller(b.Context(), c.header); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
