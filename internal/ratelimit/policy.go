package ratelimit

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// Policy is a quota, whom it is for and what counts. Requests without something that it counts by are not counted.
type Policy struct {
	// Name is in headers and metrics: letters, digits, and -_. only.
	Name string
	Rate limit.Rate
	// By is what makes callers different: ip, sub, role, claim:NAME, header:NAME, route, method. Nothing counts all together.
	By []string
	// Routes are paths, or with * at the end their beginnings; Methods are in capitals, where GET is HEAD, too; Roles are
	// those of the database. Of each nothing means all.
	Routes, Methods, Roles []string
	// Cost is what requests take by route; 1 where nothing is said. An exact path goes before a beginning, a longer one
	// before a shorter one.
	Cost map[string]int
	// FailedTokens counts requests whose token is refused, and nothing else.
	FailedTokens bool
	// DryRun counts without refusing.
	DryRun bool
}

// policy is what is made of it for requests.
type policy struct {
	Policy
	meter  *limit.Meter
	parts  []part
	costs  []cost
	early  bool // it can be asked before the token is verified
	byAddr bool
	item   string // of RateLimit-Policy
	counts telemetry.PolicyCounters
}

type cost struct {
	route string
	units int
}

// identity is the same for policies that count the same: what they have counted outlives a change of the configuration, and
// is shared with instances that have it, too. Which requests count may differ.
func (p *Policy) identity() string {
	r := p.Rate
	return strings.Join([]string{
		p.Name, strings.Join(p.By, ","), strconv.Itoa(r.Quota), r.Window.String(), strconv.Itoa(r.AtOnce()),
		strconv.FormatBool(p.FailedTokens), strconv.FormatBool(p.DryRun),
	}, "\n")
}

func compile(p Policy, metrics *telemetry.Metrics) *policy {
	c := &policy{Policy: p, early: len(p.Roles) == 0, counts: metrics.RateLimitPolicy(p.Name)}
	for _, by := range p.By {
		one := partOf(by)
		c.parts = append(c.parts, one)
		c.early = c.early && !one.ofCaller()
		c.byAddr = c.byAddr || one.kind == byAddress
	}
	for route, units := range p.Cost {
		c.costs = append(c.costs, cost{route, units})
	}
	slices.SortFunc(c.costs, func(a, b cost) int { return specific(b.route) - specific(a.route) })
	window := int64((p.Rate.Window + time.Second - 1) / time.Second)
	c.item = strconv.Quote(p.Name) + ";q=" + strconv.Itoa(p.Rate.Quota) + ";w=" + strconv.FormatInt(window, 10)
	return c
}

// specific orders routes: the higher, the fewer paths it has.
func specific(route string) int {
	if strings.HasSuffix(route, "*") {
		return len(route) - 1
	}
	return 1 << 20
}

func matches(route, path string) bool {
	if prefix, ok := strings.CutSuffix(route, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return route == path
}

// covers reports whether a request counts.
func (p *policy) covers(method, path string, caller *auth.Caller) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return (len(p.Methods) == 0 || slices.Contains(p.Methods, method)) &&
		(len(p.Roles) == 0 || caller != nil && slices.Contains(p.Roles, caller.Role)) &&
		(len(p.Routes) == 0 || slices.ContainsFunc(p.Routes, func(route string) bool { return matches(route, path) }))
}

// price is what a request takes.
func (p *policy) price(path string) int {
	for _, c := range p.costs {
		if matches(c.route, path) {
			return c.units
		}
	}
	return 1
}

// keys is how many keys the policy's meter has to know at once; 0 is the default of package limit.
func (p *policy) keys() int {
	if len(p.parts) == 0 {
		return 1
	}
	return 0
}
