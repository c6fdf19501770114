package priority_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/priority"
	"github.com/slipstream-go/slipstream/limit"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func rules(t *testing.T) *priority.Rules {
	t.Helper()
	r, err := priority.New(priority.Options{Claim: "tier", Routes: map[string]string{
		"orders": "critical", "GET orders": "sheddable", "rpc/*": "sheddable", "POST rpc/*": "default", "rpc/pay": "critical", "/logs": "background",
		"GET both": "critical", "HEAD both": "background", "GET m*": "background", "m*": "critical",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(method, path string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestTiers(t *testing.T) {
	all := rules(t)
	for _, c := range []struct {
		method, path, claims, header string
		want                         limit.Tier
	}{
		{"POST", "/orders?id=eq.1", "", "", limit.Critical},
		{"GET", "/orders", "", "", limit.Sheddable},
		{"HEAD", "/orders", "", "", limit.Sheddable}, // it is as much work as a GET
		{"HEAD", "/rpc/report", "", "", limit.Sheddable},
		{"HEAD", "/both", "", "", limit.Background},
		{"GET", "/both", "", "", limit.Critical},
		{"HEAD", "/many", "", "", limit.Background},
		{"GET", "/orders2", "", "", limit.Default},
		{"GET", "/rpc/report", "", "", limit.Sheddable},
		{"POST", "/rpc/report", "", "", limit.Default},
		{"POST", "/rpc/pay", "", "", limit.Critical},
		{"GET", "/logs", "", "", limit.Background},
		// A claim can make more of what no route speaks of, and less of everything.
		{"GET", "/other", `{"tier":"critical"}`, "", limit.Critical},
		{"GET", "/logs", `{"tier":"critical"}`, "", limit.Background},
		{"POST", "/orders", `{"tier":"background"}`, "", limit.Background},
		{"POST", "/orders", `{"tier":"nonsense"}`, "", limit.Critical},
		{"POST", "/orders", `{"tier":7}`, "", limit.Critical},
		// A client can make less of its request, and never more.
		{"POST", "/orders", "", "u=0", limit.Critical},
		{"POST", "/orders", "", "u=3", limit.Default},
		{"POST", "/orders", "", "i, u=5", limit.Sheddable},
		{"GET", "/other", "", "u=0", limit.Default},
		{"GET", "/other", "", "u=7;x=1, i", limit.Background},
		{"GET", "/other", "", "u=2, u=6", limit.Background},
		{"GET", "/other", "", "u=9", limit.Default},
		{"GET", "/other", "", "u", limit.Default},
		{"GET", "/other", "", "u=-1", limit.Default},
		{"GET", "/logs", "", "u=0", limit.Background},
	} {
		r := request(c.method, c.path)
		if c.header != "" {
			r.Header.Set("Priority", c.header)
		}
		caller := &auth.Caller{Anonymous: c.claims == "", Claims: []byte(c.claims)}
		if got, _ := all.Of(r, caller, noon); got.Tier != c.want {
			t.Errorf("%s %s %s %q: %v, want %v", c.method, c.path, c.claims, c.header, got.Tier, c.want)
		}
	}
}

func TestTenants(t *testing.T) {
	all := rules(t)
	of := func(c *auth.Caller, from string) (uint8, uint64) {
		r := request("GET", "/orders")
		r.RemoteAddr = from
		p, tenant := all.Of(r, c, noon)
		return p.Cohort, tenant
	}
	one := &auth.Caller{Subject: "one", Claims: []byte(`{"sub":"one"}`)}
	cohort, tenant := of(one, "10.0.0.1:1")
	if again, same := of(one, "10.0.0.2:7"); again != cohort || same != tenant || tenant == 0 {
		t.Errorf("a user's tenant depends on where it comes from: %d %d, %d %d", cohort, tenant, again, same)
	}
	if _, other := of(&auth.Caller{Subject: "two", Claims: []byte(`{"sub":"two"}`)}, "10.0.0.1:1"); other == tenant {
		t.Error("two users are one tenant")
	}
	anonymous := &auth.Caller{Anonymous: true}
	first, nobody := of(anonymous, "10.0.0.1:1")
	if second, _ := of(anonymous, "10.0.0.1:2"); nobody != 0 || first != second {
		t.Errorf("anonymous requests: tenant %d, cohorts %d and %d", nobody, first, second)
	}
}

func TestStrangersBehindAProxyShareNoFate(t *testing.T) {
	all, err := priority.New(priority.Options{Address: func(r *http.Request) netip.Addr {
		addr, _ := netip.ParseAddr(r.Header.Get("X-Forwarded-For")) // not valid without
		return addr
	}})
	if err != nil {
		t.Fatal(err)
	}
	cohorts := map[uint8]bool{}
	for i := range 100 {
		r := request("GET", "/orders", fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i))
		r.RemoteAddr = "10.0.0.1:1"
		p, _ := all.Of(r, &auth.Caller{Anonymous: true}, noon)
		cohorts[p.Cohort] = true
	}
	if len(cohorts) < 20 {
		t.Errorf("a hundred clients are of %d cohorts", len(cohorts))
	}
	first, second := request("GET", "/orders"), request("GET", "/orders")
	first.RemoteAddr, second.RemoteAddr = "10.0.0.1:1", "10.0.0.1:2"
	a, _ := all.Of(first, nil, noon)
	if b, _ := all.Of(second, nil, noon); a != b {
		t.Errorf("where the client is not known, its connection's address counts: %v, %v", a, b)
	}
}

func TestMistakes(t *testing.T) {
	for route, tier := range map[string]string{"orders": "urgent", "": "default", "or*ders": "default", "post orders": "default", "PSOT orders": "default", " orders": "default", "a b c": "default"} {
		if _, err := priority.New(priority.Options{Routes: map[string]string{route: tier}}); err == nil {
			t.Errorf("%q: %q was accepted", route, tier)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	all, r := rules(t), request("GET", "/orders?id=eq.1", "Priority: u=4, i")
	caller := &auth.Caller{Subject: "one", Claims: []byte(`{"sub":"one"}`)}
	caller.Claim("tier") // read once for all requests
	if n := testing.AllocsPerRun(100, func() { all.Of(r, caller, noon) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
