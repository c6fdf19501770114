package slipstream

import (
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
		{"cache", optional[bool]{&g.Cache, func(p *bool) value { return (*onOff)(p) }}},
		{"cache-ttl", optional[time.Duration]{&g.CacheTTL, span}},
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
		policies[name] = plan.Policy{
			Cache: g.Cache, TTL: g.CacheTTL, Staleness: g.CacheStaleness,
			Public: g.CachePublic, MaxAge: g.CacheMaxAge, VaryClaims: g.CacheVaryClaims,
		}
	}
	return policies
}

// onOff is a switch that is written on or off; true and false are understood, too.
type onOff bool

func (v *onOff) set(s string) error {
	switch strings.ToLower(s) {
	case "on", "true":
		*v = true
	case "off", "false":
		*v = false
	default:
		return fmt.Errorf("%q is neither on nor off; write one of them", s)
	}
	return nil
}

func (v *onOff) check() error { return nil }
func (v *onOff) unset() bool  { return !bool(*v) }
func (v *onOff) kind() string { return "one of on, off" }
func (v *onOff) plain() any   { return v.String() }

func (v *onOff) String() string {
	if *v {
		return "on"
	}
	return "off"
}

func (v *onOff) schema() map[string]any {
	return map[string]any{"enum": []any{"on", "off", true, false}}
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
