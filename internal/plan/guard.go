package plan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Guards limit what requests may do with relations. A key is schema.name, a name in any schema, or * for all relations;
// each guard is taken from the first of them that sets it.
type Guards map[string]Guard

// Guard is what is set for one relation. nil fields are not set.
type Guard struct {
	MaxRows            *int // in a page, also of an embed; 0 is no bound
	MaxEmbedDepth      *int // of a request for the relation; 0 is no embeds
	IndexedFiltersOnly *bool
	MaxCost            *int           // of a read, as the planner estimates it; 0 is no bound
	StatementTimeout   *time.Duration // of a request for the relation; 0 is no timeout of its own
	FullTableWrites    *bool          // PATCH and DELETE without filters
}

// of gives the guards of a relation, or nil when nothing is said of it.
func (g Guards) of(n schema.Name) *Guard {
	if len(g) == 0 {
		return nil
	}
	var found bool
	var all Guard
	for _, key := range guardKeys(n) {
		e, ok := g[key]
		found = found || ok
		all = Guard{
			MaxRows:            cmp.Or(all.MaxRows, e.MaxRows),
			MaxEmbedDepth:      cmp.Or(all.MaxEmbedDepth, e.MaxEmbedDepth),
			IndexedFiltersOnly: cmp.Or(all.IndexedFiltersOnly, e.IndexedFiltersOnly),
			MaxCost:            cmp.Or(all.MaxCost, e.MaxCost),
			StatementTimeout:   cmp.Or(all.StatementTimeout, e.StatementTimeout),
			FullTableWrites:    cmp.Or(all.FullTableWrites, e.FullTableWrites),
		}
	}
	if !found {
		return nil
	}
	return &all
}

const everyRelation = "*"

func guardKeys(n schema.Name) [3]string {
	return [3]string{n.Schema + "." + n.Name, n.Name, everyRelation}
}

// Unknown gives those of the keys of Guards or Policies that name no relation of the snapshot, in their order.
func Unknown[T any](named map[string]T, s *schema.Snapshot) []string {
	unknown := make(map[string]bool, len(named))
	for key := range named {
		unknown[key] = key != everyRelation
	}
	for name := range s.Relations {
		for _, key := range guardKeys(name) {
			delete(unknown, key)
		}
	}
	var keys []string
	for key, is := range unknown {
		if is {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// maxRows is 0 where there is no bound.
func (g *Guard) maxRows() int64 {
	if g == nil || g.MaxRows == nil {
		return 0
	}
	return int64(*g.MaxRows)
}

// settings are those of the transaction.
func (g *Guard) settings() []schema.Setting {
	if g == nil || g.StatementTimeout == nil || *g.StatementTimeout == 0 {
		return nil
	}
	// PostgreSQL counts in milliseconds, and 0 would be no timeout.
	ms := max(g.StatementTimeout.Milliseconds(), 1)
	return []schema.Setting{{Name: "statement_timeout", Value: strconv.FormatInt(ms, 10)}}
}

// maxCost is the bound of a read's cost, or 0. EXPLAIN alone costs nothing.
func (g *Guard) maxCost(m request.MediaType) int64 {
	if g == nil || g.MaxCost == nil || m.Name == request.Plan && !m.Plan.Analyze {
		return 0
	}
	return int64(*g.MaxCost)
}

func on(switched *bool) bool { return switched != nil && *switched }

func guarded(relation, guard, message, hint string) error {
	return &apierr.Error{
		Code: "SLIP110", Message: message, Hint: hint,
		Details: "'" + relation + "' is guarded by " + guard + ".",
	}
}

// TooCostly is the answer to a read that the planner deems costlier than the guard max-cost allows.
func (p *Read) TooCostly(relation, cost string) error {
	return guarded(relation, "max-cost",
		"The query is too costly: the planner estimates "+cost+", and the limit is "+strconv.FormatInt(p.MaxCost, 10),
		"Ask for less: filter by indexed columns, embed less, leave Prefer: count=exact out")
}

// guardDepth holds the request to the embeds that its relation allows.
func (b *builder) guardDepth(root *node) error {
	g := root.guard
	if g == nil || g.MaxEmbedDepth == nil {
		return nil
	}
	depth := root.depth()
	if depth <= *g.MaxEmbedDepth {
		return nil
	}
	return guarded(root.name, "max-embed-depth",
		"The request embeds to a depth of "+itoa(depth)+", and the limit is "+itoa(*g.MaxEmbedDepth),
		"Embed less deeply, and ask for the rest in a request of its own")
}

// depth is how many levels of embeds there are below n.
func (n *node) depth() int {
	deepest := 0
	for _, c := range n.children {
		deepest = max(deepest, 1+c.depth())
	}
	return deepest
}

// guardWhole refuses to write all rows.
func (m *mutation) guardWhole(g *Guard) error {
	limited := m.limited != nil && m.limited.limit
	if g == nil || on(g.FullTableWrites) || limited || len(m.where) > 0 {
		return nil
	}
	relation := m.relation.Name.Name
	return guarded(relation, "full-table-writes", m.method+" of all rows of '"+relation+"' is not allowed",
		"Choose rows by a filter or a limit, or have full-table-writes of '"+relation+"' set to true")
}

// guardFilters holds the filters of a level to columns that an index finds.
func guardFilters(g *Guard, relation *schema.Relation, where []predicate) error {
	if g == nil || !on(g.IndexedFiltersOnly) || relation == nil {
		return nil
	}
	p := unindexed(relation, where, nil)
	if p == nil {
		return nil
	}
	hint := "No column of it is indexed"
	if columns := leading(relation); len(columns) > 0 {
		hint = "Columns to filter by: " + strings.Join(columns, ", ")
	}
	name := relation.Name.Name
	return guarded(name, "indexed-filters-only", "'"+spell(&p.condition.Column)+"' of '"+name+"' cannot be filtered by: it is not indexed", hint)
}

// unindexed finds a condition that no index helps with, in predicates that hold together. around are columns that
// conditions further out compare.
func unindexed(r *schema.Relation, all []predicate, around []string) *predicate {
	known := conjuncts(all, slices.Clip(around))
	for i := range all {
		p := &all[i]
		switch {
		case p.condition != nil:
			if !indexed(r, &p.condition.Column, known) {
				return p
			}
		case p.joined():
			if found := unindexed(r, p.children, known); found != nil {
				return found
			}
		default: // each alternative for itself
			for j := range p.children {
				if found := unindexed(r, p.children[j:j+1], known); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// joined is true of predicates whose children all hold.
func (p *predicate) joined() bool { return !p.or && !p.not }

// conjuncts appends the columns of conditions that hold together.
func conjuncts(all []predicate, names []string) []string {
	for i := range all {
		switch p := &all[i]; {
		case p.condition != nil && len(p.condition.Column.Path) == 0:
			names = append(names, p.condition.Column.Name)
		case p.condition == nil && p.joined():
			names = conjuncts(p.children, names)
		}
	}
	return names
}

// indexed reports whether an index begins with the column, or with others that are compared too.
func indexed(r *schema.Relation, c *request.Column, known []string) bool {
	if len(c.Path) > 0 {
		return false // an index on the document does not find what is in it by ->
	}
	for _, index := range r.Indexes {
		for _, name := range index {
			if name == c.Name {
				return true
			}
			if !slices.Contains(known, name) {
				break
			}
		}
	}
	return false
}

// leading are the columns that any filter may name, sorted.
func leading(r *schema.Relation) []string {
	var names []string
	for _, index := range r.Indexes {
		names = append(names, index[0])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// spell is the column as requests name it.
func spell(c *request.Column) string {
	var b strings.Builder
	b.WriteString(c.Name)
	for _, step := range c.Path {
		if step.Text {
			b.WriteString("->>")
		} else {
			b.WriteString("->")
		}
		b.WriteString(step.Key)
	}
	return b.String()
}
