package priority

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/limit"
)

// Rules say how important requests are. They are read only after New.
type Rules struct {
	exact    map[string][]rule // by path
	prefixes []rule            // the longest first
	claim    string
	tenant   string
	address  func(*http.Request) netip.Addr
	seed     maphash.Seed
}

// rule gives requests for a path, or all paths that begin with it, a tier.
type rule struct {
	method string // empty for all
	path   string
	tier   limit.Tier
}

// Options are what Rules are made of.
type Options struct {
	// Routes gives tiers, by name (limit.TierOf), to paths such as "orders" and "rpc/pay"; to all that begin alike where one ends in *, and
	// to those of one method where that and a space come before. The most special one counts: the longest path, then one with a method.
	Routes map[string]string
	// Claim is the claim that names the best tier that a caller may have. Empty is none.
	Claim string
	// Tenant is the claim that tells whose requests share a fate. Empty is sub.
	Tenant string
	// Address is where a request comes from that brings no token, not valid where that is not known: behind proxies, all
	// would come from the same address else, and share a fate. Without it, and where it is not valid, it is the connection's.
	Address func(*http.Request) netip.Addr
}

// New fails where a route or its tier cannot be understood.
func New(o Options) (*Rules, error) {
	r := &Rules{exact: map[string][]rule{}, claim: o.Claim, tenant: cmp.Or(o.Tenant, "sub"), address: o.Address, seed: maphash.MakeSeed()}
	for route, name := range o.Routes {
		tier, ok := limit.TierOf(name)
		if !ok {
			return nil, fmt.Errorf("there is no tier %q; write critical, default, sheddable or background", name)
		}
		one, err := parseRoute(route)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", route, err)
		}
		one.tier = tier
		if path, ok := strings.CutSuffix(one.path, "*"); ok {
			one.path = path
			r.prefixes = append(r.prefixes, one)
		} else {
			r.exact[one.path] = append(r.exact[one.path], one)
		}
	}
	// Those with a method come before those without, and HEAD before GET.
	for _, rules := range r.exact {
		slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(b.method, a.method) })
	}
	slices.SortFunc(r.prefixes, func(a, b rule) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(b.path, a.path), cmp.Compare(b.method, a.method))
	})
	return r, nil
}

// methods may come before a path. Others would be mistyped ones, whose rule would never hold.
var methods = []string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}

func parseRoute(route string) (rule, error) {
	method, path, ok := strings.Cut(route, " ")
	if !ok {
		method, path = "", route
	}
	if ok && !slices.Contains(methods, method) {
		return rule{}, fmt.Errorf("%q is no method; write GET (which is HEAD, too), POST, PATCH, PUT, DELETE or OPTIONS before the path", method)
	}
	path = strings.TrimPrefix(path, "/")
	if i := strings.IndexByte(path, '*'); path == "" || i >= 0 && i < len(path)-1 || strings.ContainsAny(path, " ?") {
		return rule{}, fmt.Errorf("write a path without query, such as orders or rpc/pay, which may end in *")
	}
	return rule{method: method, path: path}, nil
}

// Of is how important a request is, and a hash of the tenant whose it is, 0 where that is nobody in particular. Without rules for it
// a request is of the tier Default. A client can make its own less important by the header field Priority (RFC 9218), and never more.
func (r *Rules) Of(req *http.Request, c *auth.Caller, now time.Time) (p limit.Priority, tenant uint64) {
	p.Tier = r.tier(req, c)
	if u, ok := urgency(req.Header["Priority"]); ok {
		p.Tier = max(p.Tier, tierOf(u))
	}
	whose := r.whose(req, c)
	p.Cohort = limit.CohortOf(whose, now)
	if c != nil && !c.Anonymous {
		tenant = max(1, maphash.String(r.seed, whose))
	}
	return p, tenant
}

// tier is the best that the request may have: the worse one of what its route and what its caller's token say.
func (r *Rules) tier(req *http.Request, c *auth.Caller) limit.Tier {
	byRoute, routed := r.route(req.Method, strings.TrimPrefix(req.URL.Path, "/"))
	byClaim, claimed := r.claimed(c)
	switch {
	case routed && claimed:
		return max(byRoute, byClaim)
	case routed:
		return byRoute
	case claimed:
		return byClaim
	}
	return limit.Default
}

func (r *Rules) route(method, path string) (limit.Tier, bool) {
	for _, one := range r.exact[path] {
		if one.is(method) {
			return one.tier, true
		}
	}
	for _, one := range r.prefixes {
		if one.is(method) && strings.HasPrefix(path, one.path) {
			return one.tier, true
		}
	}
	return 0, false
}

// is tells whether the rule is about a method. A HEAD is the work of the GET, so a rule for that holds for it, too.
func (r *rule) is(method string) bool {
	return r.method == "" || r.method == method || r.method == http.MethodGet && method == http.MethodHead
}

// claimed is what the token says, if it says something that can be understood.
func (r *Rules) claimed(c *auth.Caller) (limit.Tier, bool) {
	if r.claim == "" || c == nil {
		return 0, false
	}
	claim := c.Claim(r.claim)
	if n := len(claim); n > 1 && claim[0] == '"' { // names of tiers have nothing to escape
		claim = claim[1 : n-1]
	}
	return limit.TierOf(string(claim))
}

// whose is the text of the tenant's claim, or else the role; without a token, the address that the request comes from.
func (r *Rules) whose(req *http.Request, c *auth.Caller) string {
	if c != nil && !c.Anonymous {
		if r.tenant == "sub" && c.Subject != "" {
			return c.Subject
		}
		if claim := c.Claim(r.tenant); claim != nil {
			return string(claim)
		}
		return c.Role
	}
	if r.address != nil {
		if addr := r.address(req); addr.IsValid() {
			return addr.String()
		}
	}
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	return host
}
