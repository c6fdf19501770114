package ratelimit

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// decision is what all requests pay: policies at three levels, of a caller with a token.
func decision() func() {
	rate := limit.Rate{Quota: 1_000_000, Window: time.Second}
	l := New(Options{Metrics: telemetry.NewMetrics(telemetry.MetricsOptions{}), Policies: []Policy{
		{Name: "api", Rate: rate},
		{Name: "user", Rate: rate, By: []string{"sub"}, Cost: map[string]int{"/big_*": 5, "/rpc/*": 2}},
		{Name: "address", Rate: rate, By: []string{"ip"}, Routes: []string{"/orders", "/big_*"}, Methods: []string{"GET"}},
	}}, limit.NewQuotas(limit.QuotaOptions{}), nil)
	caller := &auth.Caller{Role: "member", Subject: "7f0c8a12-6b1f-4a51-9d6a-1f0c8a126b1f"}
	r := &http.Request{Method: "GET", URL: &url.URL{Path: "/big_report"}, RemoteAddr: "192.0.2.7:1234", Header: http.Header{}}
	return func() {
		c := l.newClaim()
		defer l.done(c)
		who := l.subject(r, caller)
		c.add(l, after, &who)
		if len(c.charges) != 3 {
			panic("a policy is left out")
		}
		l.decide(context.Background(), c)
		c.note(r)
	}
}

func TestADecisionAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	if got := testing.AllocsPerRun(1000, decision()); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkDecision(b *testing.B) {
	decide := decision()
	b.ReportAllocs()
	for b.Loop() {
		decide()
	}
}

func TestKeysAreApart(t *testing.T) {
	of := func(by []string, path, role string) limit.Key {
		p := compile(Policy{By: by}, nil)
		k, ok := p.key(&subject{method: "GET", path: path, caller: &auth.Caller{Role: role}})
		if !ok {
			t.Fatal(by, path, role)
		}
		return k
	}
	both := []string{"route", "role"}
	if of(both, "/ab", "c") == of(both, "/a", "bc") {
		t.Error("two routes with two roles are one")
	}
	p := compile(Policy{By: []string{"ip"}}, nil)
	if _, ok := p.key(&subject{}); ok {
		t.Error("a request without an address is counted by address")
	}
}
