package ratelimit

import (
	"context"
	"net/http"
	"sync"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// Options of New.
type Options struct {
	Policies  []Policy
	Addresses Addresses
	Verbosity apierr.Verbosity
	// Metrics counts decisions; nil counts nothing.
	Metrics *telemetry.Metrics
}

// Limits holds requests to policies. A nil one has none.
//
// A request meets it twice. Before its token is verified, Before refuses it where what is known of its address leaves no
// room: that charges nothing and asks nobody. With its caller known, After decides on all policies at once, and charges all
// or none. A request whose token is refused is charged by Failed instead.
type Limits struct {
	options  Options
	quotas   *limit.Quotas
	policies []*policy
	byAddr   bool // some policy counts by address
	early    bool // some policy can be asked before the token is verified
	claims   sync.Pool
}

// New makes one of policies that are valid; nil for none. Policies that previous has, too, go on from what it has counted.
func New(o Options, quotas *limit.Quotas, previous *Limits) *Limits {
	if len(o.Policies) == 0 {
		return nil
	}
	meters := map[string]*limit.Meter{}
	if previous != nil {
		for _, p := range previous.policies {
			meters[p.identity()] = p.meter
		}
	}
	l := &Limits{options: o, quotas: quotas}
	for _, p := range o.Policies {
		c := compile(p, o.Metrics)
		id := c.identity()
		if c.meter = meters[id]; c.meter == nil {
			c.meter = quotas.NewMeter(id, p.Rate, c.keys())
		}
		l.byAddr, l.early = l.byAddr || c.byAddr, l.early || c.early
		l.policies = append(l.policies, c)
	}
	return l
}

// stage is where a request is.
type stage int

const (
	before stage = iota // its token is not verified yet
	failed              // its token was refused
	after               // its caller is known
)

// belongs says whether a policy has its say there. Of what counts failed tokens, before is for requests that have one.
func (p *policy) belongs(s stage, hasToken bool) bool {
	if s == after {
		return !p.FailedTokens
	}
	return p.early && (!p.FailedTokens || hasToken)
}

// claim is what a request is charged with, one charge for each of some policies.
type claim struct {
	charges  []limit.Charge
	policies []*policy
}

// newClaim gives one for as long as the request is decided on; then it belongs to done.
func (l *Limits) newClaim() *claim {
	if c, ok := l.claims.Get().(*claim); ok {
		return c
	}
	return new(claim)
}

func (l *Limits) done(c *claim) {
	c.charges, c.policies = c.charges[:0], c.policies[:0]
	l.claims.Put(c)
}

// add charges a request. What it takes where the claim takes something already comes on top of that.
func (c *claim) add(l *Limits, s stage, who *subject) {
	hasToken := s != after && !who.unjudged && who.header.Get("Authorization") != ""
	for _, p := range l.policies {
		if !p.belongs(s, hasToken) || !p.covers(who.method, who.path, who.caller) {
			continue
		}
		if key, ok := p.key(who); ok {
			c.charge(p, key, p.price(who.path))
		}
	}
}

func (c *claim) charge(p *policy, key limit.Key, units int) {
	for i := range c.charges {
		if one := &c.charges[i]; one.Meter == p.meter && one.Key == key {
			one.Cost += units
			return
		}
	}
	c.charges = append(c.charges, limit.Charge{Meter: p.meter, Key: key, Cost: units, DryRun: p.DryRun})
	c.policies = append(c.policies, p)
}

func (l *Limits) subject(r *http.Request, caller *auth.Caller) subject {
	who := subject{method: r.Method, path: r.URL.Path, caller: caller, header: r.Header}
	if l.byAddr {
		who.address = l.options.Addresses.Of(r)
	}
	return who
}

// Before refuses requests whose token need not be verified.
func (l *Limits) Before(next http.Handler) http.Handler {
	if l == nil || !l.early {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.glance(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

func (l *Limits) glance(w http.ResponseWriter, r *http.Request) (passes bool) {
	c := l.newClaim()
	defer l.done(c)
	who := l.subject(r, nil)
	if c.add(l, before, &who); l.quotas.Peek(c.charges) {
		return true
	}
	l.options.Metrics.RateLimitDecided(telemetry.RateLimitLocal)
	l.refuse(w, r, c, limit.Local)
	return false
}

// Failed charges a request whose caller could not be told: with 401 as its token was refused, else as it could not be judged.
// Where there is no room even for that it answers, and reports so.
func (l *Limits) Failed(w http.ResponseWriter, r *http.Request, status int) (answered bool) {
	if l == nil || !l.early {
		return false
	}
	who := l.subject(r, nil)
	who.unjudged = status != http.StatusUnauthorized
	return !l.admit(w, r, failed, &who)
}

// After decides on requests whose caller is known.
func (l *Limits) After(next http.Handler) http.Handler {
	if l == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := l.subject(r, auth.CallerFrom(r.Context()))
		if l.admit(w, r, after, &who) {
			next.ServeHTTP(w, r)
		}
	})
}

func (l *Limits) admit(w http.ResponseWriter, r *http.Request, s stage, who *subject) (admitted bool) {
	c := l.newClaim()
	defer l.done(c)
	c.add(l, s, who)
	admitted, by := l.decide(r.Context(), c)
	if !admitted {
		l.refuse(w, r, c, by)
		return false
	}
	c.note(r)
	c.tell(w.Header(), false)
	return true
}

// decide charges all or nothing.
func (l *Limits) decide(ctx context.Context, c *claim) (admitted bool, by limit.Source) {
	if len(c.charges) == 0 {
		return true, limit.Local
	}
	admitted, by = l.quotas.Take(ctx, c.charges)
	l.options.Metrics.RateLimitDecided(telemetry.RateLimitStore(by))
	return admitted, by
}
