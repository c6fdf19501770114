package idemkey_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/idemkey"
)

func caller(claims, subject string) idemkey.Caller {
	return idemkey.Caller{Role: "member", Claims: []byte(claims), Subject: subject}
}

func TestScopesDiffer(t *testing.T) {
	ann := caller(`{"sub": "ann", "role": "member"}`, "ann")
	seen := map[idemkey.Scope]string{}
	for name, s := range map[string]idemkey.Scope{
		"ann":              idemkey.NewScope(ann, "POST", "/item", "k"),
		"role":             idemkey.NewScope(idemkey.Caller{Role: "admin", Claims: ann.Claims, Subject: "ann"}, "POST", "/item", "k"),
		"method":           idemkey.NewScope(ann, "PATCH", "/item", "k"),
		"path":             idemkey.NewScope(ann, "POST", "/items", "k"),
		"key":              idemkey.NewScope(ann, "POST", "/item", "K"),
		"a border":         idemkey.NewScope(ann, "POST", "/ite", "mk"),
		"bert":             idemkey.NewScope(caller(`{"sub": "bert", "role": "member"}`, "bert"), "POST", "/item", "k"),
		"nested":           idemkey.NewScope(caller(`{"sub": "ann", "role": "member", "org": {"exp": 1}}`, "ann"), "POST", "/item", "k"),
		"nested, other":    idemkey.NewScope(caller(`{"sub": "ann", "role": "member", "org": {"exp": 2}}`, "ann"), "POST", "/item", "k"),
		"claim, not value": idemkey.NewScope(caller(`{"sub": "ann", "role": "member", "org": "x"}`, "ann"), "POST", "/item", "k"),
		"no sub":           idemkey.NewScope(caller(`{"role": "member", "jti": "1"}`, ""), "POST", "/item", "k"),
		"no sub, other":    idemkey.NewScope(caller(`{"role": "member", "jti": "2"}`, ""), "POST", "/item", "k"),
		"no claims":        idemkey.NewScope(caller(`{}`, ""), "POST", "/item", "k"),
	} {
		if other, ok := seen[s]; ok {
			t.Errorf("%s has the scope of %s", name, other)
		}
		seen[s] = name
	}
}

func TestWhoCanBeTold(t *testing.T) {
	for claims, want := range map[string]bool{
		`{}`:                 false,
		`{"role": "member"}`: false,
		`{"role": "member", "iss": "x", "aud": "y", "exp": 1, "iat": 1, "nbf": 1}`: false,
		`{"role": "member", "sub": "ann"}`:                                         true,
		`{"role": "member", "customer_id": 7}`:                                     true,
		`{"role": "member", "jti": "1"}`:                                           true,
		``:                                                                         false,
	} {
		if got := caller(claims, "").Told(); got != want {
			t.Errorf("%s: %t", claims, got)
		}
	}
}

func TestARenewedTokenHasTheSameScope(t *testing.T) {
	first := idemkey.NewScope(caller(`{"exp": 1, "iat": 2, "jti": "3", "nbf": 4, "role": "member", "sub": "ann"}`, "ann"), "POST", "/item", "k")
	second := idemkey.NewScope(caller(`{"sub": "ann", "role": "member", "exp": 10, "iat": 20, "jti": "30"}`, "ann"), "POST", "/item", "k")
	if first != second {
		t.Error("another scope")
	}
}

func TestFingerprintsDiffer(t *testing.T) {
	var s, other idemkey.Scope
	other[0] = 1
	seen := map[idemkey.Fingerprint]string{}
	for name, f := range map[string]idemkey.Fingerprint{
		"first":    idemkey.NewFingerprint(s, []byte("body"), "a", "b"),
		"scope":    idemkey.NewFingerprint(other, []byte("body"), "a", "b"),
		"body":     idemkey.NewFingerprint(s, []byte("bodx"), "a", "b"),
		"a border": idemkey.NewFingerprint(s, []byte("body"), "ab", ""),
		"absent":   idemkey.NewFingerprint(s, []byte("body"), "a"),
	} {
		if already, ok := seen[f]; ok {
			t.Errorf("%s has the fingerprint of %s", name, already)
		}
		seen[f] = name
	}
}
