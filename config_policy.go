package slipstream

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/plan"
)

// policies are what an entry says of the cache.
func (g *RelationGuards) policies() []guard {
	span := func(p *time.Duration) value { return duration{p: p, zero: true} }
	return []guard{
		{"cache", optional[string]{&g.Cache, keepingOf}},
		{"cache-ttl", optional[time.Duration]{&g.CacheTTL, span}},
		{"cache-stale-while-revalidate", optional[time.Duration]{&g.CacheStaleWhileRevalidate, span}},
		{"cache-stale-if-error", optional[time.Duration]{&g.CacheStaleIfError, span}},
		{"cache-staleness", optional[time.Duration]{&g.CacheStaleness, span}},
		{"cache-public", optional[bool]{&g.CachePublic, func(p *bool) value { return (*enabled)(p) }}},
		{"cache-max-age", optional[time.Duration]{&g.CacheMaxAge, span}},
		{"cache-vary-claims", optional[[]string]{&g.CacheVaryClaims, func(p *[]string) value { return list{p: p} }}},
	}
}

// cachesOnly is true of an entry that says something, and only of the cache: it is not there to guard.
func (g RelationGuards) cachesOnly() bool {
	given := func(g guard) bool { return !g.unset() }
	return slices.ContainsFunc(g.policies(), given) && !slices.ContainsFunc(g.limits(), given)
}

// cachePolicies turns them into what plans are made with.
func (c Config) cachePolicies() plan.Policies {
	policies := make(plan.Policies, len(c.Relations))
	for name, g := range c.Relations {
		p := plan.Policy{
			TTL: g.CacheTTL, Staleness: g.CacheStaleness, Public: g.CachePublic, MaxAge: g.CacheMaxAge, VaryClaims: g.CacheVaryClaims,
			Revalidate: g.CacheStaleWhileRevalidate, IfError: g.CacheStaleIfError,
		}
		if g.Cache != nil {
			p.Cache, p.Limited = new(*g.Cache != keepNot), new(*g.Cache == keepForTTL)
		}
		policies[name] = p
	}
	return policies
}

// cachesForTTL reports whether answers of any relation may be kept for a time whatever changes.
func (c Config) cachesForTTL() bool {
	for _, g := range c.Relations {
		if g.Cache != nil && *g.Cache == keepForTTL {
			return true
		}
	}
	return false
}

// CachedFor is for how long answers of a relation are kept where it cannot be told what changes; 0 is not at all.
func (c Config) CachedFor(schema, name string) time.Duration {
	g := policyOf(c.Relations, schema+"."+name, name, "*")
	if g.Cache == nil || *g.Cache != keepForTTL || g.CacheTTL == nil {
		return 0
	}
	return *g.CacheTTL
}

// policyOf puts together what the entries of some names say of Cache and CacheTTL; the first that says something counts.
func policyOf(all map[string]RelationGuards, names ...string) (g RelationGuards) {
	for _, name := range names {
		e := all[name]
		g.Cache, g.CacheTTL = cmp.Or(g.Cache, e.Cache), cmp.Or(g.CacheTTL, e.CacheTTL)
	}
	return g
}

// checkPolicy looks whether what an entry says of the cache goes together with the entries of less special a name.
func checkPolicy(all map[string]RelationGuards, name string) error {
	_, short, _ := strings.Cut(name, ".")
	entry, whole := all[name], policyOf(all, name, short, "*")
	limited := whole.Cache != nil && *whole.Cache == keepForTTL
	if limited && (entry.Cache != nil || entry.CacheTTL != nil) && (whole.CacheTTL == nil || *whole.CacheTTL == 0) {
		return errors.New("cache: ttl does not say for how long; add cache-ttl, such as cache-ttl: 1m")
	}
	for _, g := range entry.policies() {
		if strings.HasPrefix(g.name, "cache-stale-") && !g.unset() && !limited {
			return fmt.Errorf("%s is for answers that are kept for a time; add cache: ttl and cache-ttl, or leave it out", g.name)
		}
	}
	return nil
}

// The values of cache.
const (
	keepUntilChanged = "on"
	keepNot          = "off"
	keepForTTL       = "ttl"
)

// keeping is how answers are kept; true and false are understood as on and off, which some YAML takes for the same.
type keeping struct{ choice }

func keepingOf(p *string) value {
	return keeping{choice{p, []string{keepUntilChanged, keepNot, keepForTTL}}}
}

func (v keeping) set(s string) error {
	switch s = strings.ToLower(s); s {
	case "true":
		s = keepUntilChanged
	case "false":
		s = keepNot
	}
	return v.choice.set(s)
}

func (v keeping) schema() map[string]any {
	return map[string]any{"enum": []any{keepUntilChanged, keepNot, keepForTTL, true, false}}
}

func (c Config) tagFields() httpcache.TagFields {
	switch c.CacheTags {
	case "cache-groups":
		return httpcache.CacheGroups
	case "surrogate-key":
		return httpcache.SurrogateKey
	case "cache-tag":
		return httpcache.CacheTag
	}
	return httpcache.NoTags
}
