package rest

import (
	"slices"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// PreRequestReads is what the pre-request function looks at besides the caller's role, as the configuration declares it: what
// it sets or refuses depends on nothing else, and it has no effect that lasts.
type PreRequestReads struct {
	Settings  []schema.SettingRead // request.* only
	Relations []schema.Name        // of any schema: see schema.Options.Inputs
}

// preRequestReach is what answers depend on by the pre-request function. Opaque is why that is not known, in words that follow
// "the request".
func (h *Handler) preRequestReach(catalog *Catalog) schema.Reach {
	reads, calls := h.options.PreRequestReads, "calls the pre-request function, "
	switch {
	case h.preRequest == "":
		return schema.Reach{}
	case reads == nil:
		return schema.Reach{Opaque: calls + "which is not declared: db-pre-request-reads says what it looks at"}
	}
	out := schema.Reach{Settings: slices.Clone(reads.Settings)}
	for _, name := range reads.Relations {
		r, ok := catalog.Schema.Inputs[name]
		switch {
		case !ok:
			return schema.Reach{Opaque: calls + "whose " + name.Schema + "." + name.Name + " in db-pre-request-reads does not exist"}
		case r.Opaque != "":
			return schema.Reach{Opaque: calls + "and " + name.Name + " " + r.Opaque}
		}
		out.Tables, out.Settings = append(out.Tables, r.Tables...), append(out.Settings, r.Settings...)
	}
	return out
}

// after makes answers depend on what was called before them, too. What headers and cookies have changed, a cache on the way
// cannot know.
func (s *Shape) after(called schema.Reach) {
	s.settings = schema.SortSettings(slices.Concat(s.settings, called.Settings))
	s.tables = append(s.tables, called.Tables...)
	slices.Sort(s.tables)
	s.tables = slices.Compact(s.tables)
	if slices.ContainsFunc(called.Settings, func(r schema.SettingRead) bool {
		return r.Name == "request.headers" || r.Name == "request.cookies"
	}) {
		s.keeping.Public, s.keeping.MaxAge = false, 0
	}
}

// dependBefore makes the answer depend on what the pre-request function has read, and reports whether that can be.
//
// The function was a statement of its own, with an earlier snapshot than the one that came with the rows: that has perhaps
// seen changes that the function has not. So the stamp is the snapshot of the call.
func (a *answer) dependBefore(f *cache.Fill) bool {
	called := a.preRequestReach(a.catalog)
	d := dependencies{answer: a, published: a.options.Published}
	for _, table := range called.Tables {
		d.table(table)
	}
	if called.Opaque != "" || d.unknown {
		return false
	}
	if len(d.watches) > 0 {
		f.Depend(stamp{a.before}, d.watches...)
	}
	return true
}
