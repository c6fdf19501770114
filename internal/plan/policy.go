package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// Policies say how answers that show rows of relations are kept. Keys are those of Guards, and each field is taken from the
// first of them that sets it.
type Policies map[string]Policy

// Policy is what is set for one relation. nil fields are not set.
type Policy struct {
	Cache      *bool          // false: answers are not kept
	Limited    *bool          // answers of which changes are not told are kept for TTL; set together with Cache
	TTL        *time.Duration // longest that an answer is kept; 0 is until a change
	Staleness  *time.Duration // how old an answer may be when it is served; 0 is as for all others
	Public     *bool          // caches on the way may keep what is for anonymous callers
	MaxAge     *time.Duration // how long these need not ask again; 0 is not at all
	VaryClaims *[]string      // claims that callers must share to share answers
	Revalidate *time.Duration // how long after TTL an answer is served while it is fetched anew, and
	IfError    *time.Duration // where that fails; both for Limited alone
}

// of puts together what is set for a relation.
func (p Policies) of(n schema.Name) (all Policy) {
	if len(p) == 0 {
		return all
	}
	for _, key := range guardKeys(n) {
		e := p[key]
		all = Policy{
			Cache:      cmp.Or(all.Cache, e.Cache),
			Limited:    cmp.Or(all.Limited, e.Limited),
			TTL:        cmp.Or(all.TTL, e.TTL),
			Staleness:  cmp.Or(all.Staleness, e.Staleness),
			Public:     cmp.Or(all.Public, e.Public),
			MaxAge:     cmp.Or(all.MaxAge, e.MaxAge),
			VaryClaims: cmp.Or(all.VaryClaims, e.VaryClaims),
			Revalidate: cmp.Or(all.Revalidate, e.Revalidate),
			IfError:    cmp.Or(all.IfError, e.IfError),
		}
	}
	return all
}

// Keeping is how an answer is kept, besides what it depends on. Of the relations of a request the strictest counts.
type Keeping struct {
	// TTL is the longest that it is kept; 0 is until a change.
	TTL time.Duration
	// Staleness is how old it may be when it is served; 0 is the cache's own.
	Staleness time.Duration
	// Public allows caches on the way to keep what is for anonymous callers, and MaxAge to use it so long without asking.
	Public bool
	MaxAge time.Duration
	// Limited allows to keep it for TTL where changes are not told. After that it may be served for Revalidate while it is
	// fetched anew, and for IfError where that fails.
	Limited             bool
	Revalidate, IfError time.Duration
	// Relations are those of the request, in their order by name.
	Relations []schema.Name
}

// keep applies the policy of one more relation.
func (f *fillBuilder) keep(n schema.Name) {
	p, k := f.options.Policies.of(n), &f.out.Keeping
	first := len(k.Relations) == 0
	k.limit(p, first)
	k.Relations = append(k.Relations, n)
	k.TTL, k.Staleness = shorter(k.TTL, p.TTL), shorter(k.Staleness, p.Staleness)
	public := p.Public != nil && *p.Public
	k.Public = public && (first || k.Public)
	switch {
	case !k.Public || p.MaxAge == nil:
		k.MaxAge = 0
	case first:
		k.MaxAge = *p.MaxAge
	default:
		k.MaxAge = min(k.MaxAge, *p.MaxAge)
	}
	if p.VaryClaims != nil {
		for _, claim := range *p.VaryClaims {
			f.out.Settings = append(f.out.Settings, schema.SettingRead{Name: "request.jwt.claims", Claim: claim})
		}
	}
}

// shorter is the shorter of two times that are set and not 0.
func shorter(d time.Duration, other *time.Duration) time.Duration {
	if other == nil || *other == 0 || d > 0 && d < *other {
		return d
	}
	return *other
}

// settle ends what keep began. What is told by headers or cookies of a request, a cache on the way cannot know, and a
// function may show more than the relation whose rows it returns.
func (f *fillBuilder) settle(calls bool) {
	k := &f.out.Keeping
	slices.SortFunc(k.Relations, func(a, b schema.Name) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	k.Relations = slices.Compact(k.Relations)
	if calls || slices.ContainsFunc(f.out.Settings, func(s schema.SettingRead) bool {
		return s.Name == "request.headers" || s.Name == "request.cookies"
	}) {
		k.Public, k.MaxAge = false, 0
	}
}

// Public reports whether caches on the way may keep answers of a relation.
func (p Policies) Public(n schema.Name) bool {
	public := p.of(n).Public
	return public != nil && *public
}

// off is true where the policy of a relation forbids to keep answers.
func (p Policies) off(n schema.Name) bool {
	cached := p.of(n).Cache
	return cached != nil && !*cached
}
