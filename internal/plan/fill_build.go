package plan

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// fillBuilder finds out what a read depends on.
type fillBuilder struct {
	*builder
	root        *node
	answer      answer
	tested      map[*node]bool     // embeds of which conditions ask whether they have rows
	called      bool               // functions of the user's are, by name
	definitions schema.Definitions // that the key is made by
	keyed       bool               // the statement can bring the keys of the rows shown
	out         Fill
}

// fill tells how a read's answer can be kept.
func (b *builder) fill(out *Read, root *node, a answer) *Fill {
	f := &fillBuilder{builder: b, root: root, answer: a, tested: map[*node]bool{}}
	if kind, because := f.refuse(out); because != "" {
		return &Fill{Because: because, Hindrance: kind}
	}
	f.keyed = out.Keyset == nil && out.Function == nil && f.out.Unfollowed == "" && f.shows(root)
	if out.Function == nil {
		f.level(root, noLevel)
	} else { // its rows come from what it reads
		if root.relation != nil {
			f.keep(root.relation.Name)
		}
		for _, c := range root.children {
			f.level(c, noLevel)
		}
	}
	f.keyed = f.keyed && len(f.out.Levels) > 0
	f.out.keyed = f.keyed
	slices.Sort(f.out.Tables)
	f.out.Tables = slices.Compact(f.out.Tables)
	f.out.Settings = schema.SortSettings(f.out.Settings)
	f.settle(out.Function != nil)
	f.settleLimited(out)
	f.statements(out)
	return &f.out
}

// shows is true where each row of the answer, and of every embed, is a row of a relation.
func (f *fillBuilder) shows(n *node) bool {
	if n.grouped() || n.spread != noSpread || n.rel != nil && n.empty() {
		return false
	}
	for _, c := range n.children {
		if c.ordered || !f.shows(c) { // what the level is ordered by must be in sight
			return false
		}
	}
	return true
}

// level adds what the level and those below it depend on.
func (f *fillBuilder) level(n *node, parent int) {
	reach := &n.relation.Reach
	f.out.Settings = append(f.out.Settings, reach.Settings...)
	f.keep(n.relation.Name)
	f.define(reach)
	if n.junction != "" {
		junction := &f.snapshot.Relations[n.rel.Junction.Table].Reach
		f.define(junction)
		f.out.Settings = append(f.out.Settings, junction.Settings...)
		f.out.Tables = append(f.out.Tables, junction.Tables...)
	}
	index := noLevel
	if l, ok := f.exact(n, parent); ok {
		index = len(f.out.Levels)
		f.out.Levels = append(f.out.Levels, l)
		if parent != noLevel {
			p := &f.out.Levels[parent]
			p.children = append(p.children, index)
			for _, c := range l.links {
				p.position(c)
			}
		}
	} else {
		f.out.Tables = append(f.out.Tables, reach.Tables...)
	}
	for _, c := range n.children {
		f.level(c, index)
	}
}

// exact describes the level, or returns false where any change of its table has to count.
func (f *fillBuilder) exact(n *node, parent int) (Level, bool) {
	l := Level{node: n, parent: parent, Hidden: n.offset}
	if !n.relation.Reach.Single {
		return l, false
	}
	l.Table = n.relation.Reach.Tables[0]
	for i := range n.where {
		l.test(n, &n.where[i])
	}
	if n == f.root {
		l.Hidden = l.Hidden || f.request.Prefer.Count == "exact"
	} else if parent == noLevel || !f.follows(n, &l) {
		return l, false
	}
	if !f.keyed {
		l.Hidden = true
		return l, n == f.root
	}
	if !l.keys(n.relation) {
		return l, false
	}
	if n.limit {
		a := n.limitArg()
		l.Limit = &a
		l.order(n)
	}
	return l, true
}

// follows is true for an embed that shows rows and decides about none of the parent's, and is joined by columns.
func (f *fillBuilder) follows(n *node, l *Level) bool {
	if n.junction != "" || n.join == request.JoinInner || f.tested[n] {
		return false
	}
	for _, p := range n.rel.Columns {
		left, ok := n.parent.relation.Column(p.Left)
		right, found := n.relation.Column(p.Right)
		if !ok || !found || !kindOf(left).keyable() || kindOf(left) != kindOf(right) {
			return false
		}
		l.Link = append(l.Link, right.Number)
		l.links = append(l.links, left)
	}
	return len(l.Link) > 0
}

// test adds the conditions that every row shown fulfils and that can be told outside the database.
func (l *Level) test(n *node, p *predicate) {
	switch c := p.condition; {
	case p.embed != nil:
	case c == nil && !p.or && !p.not:
		for i := range p.children {
			l.test(n, &p.children[i])
		}
	case c == nil || c.Not || len(c.Column.Path) > 0 || c.Quantifier != request.NoQuantifier:
	default:
		column, ok := n.relation.Column(c.Column.Name)
		if kind := kindOf(column); ok && kind != Incomparable {
			l.Filter = append(l.Filter, Test{column.Number, kind, c})
		}
	}
}

// keys adds the primary key, and reports whether there is one whose text tells rows apart.
func (l *Level) keys(r *schema.Relation) bool {
	for _, name := range r.PrimaryKey {
		c, ok := r.Column(name)
		if !ok || !kindOf(c).keyable() {
			return false
		}
		l.Key = append(l.Key, c.Number)
		l.position(c)
	}
	return len(l.Key) > 0
}

// order notes the order that a limit cuts.
func (l *Level) order(n *node) {
	var names []string
	known := n.rel == nil // the last row of each parent would be needed, else
	for i := range n.order {
		o := &n.order[i]
		column, ok := n.relation.Column(o.column.Name)
		if !ok || o.table != "" || len(o.column.Path) > 0 {
			return
		}
		names = append(names, column.Name)
		t := LevelOrder{Column: column.Number, Kind: kindOf(column), Descending: o.direction == request.Desc}
		t.NullsFirst = t.Descending // PostgreSQL's default
		if o.nulls != request.NoNulls {
			t.NullsFirst = o.nulls == request.NullsFirst
		}
		known = known && (t.Kind == Integer || isDate(column.Type))
		l.Order = append(l.Order, t)
		if known {
			l.position(column)
		}
	}
	l.Total = slices.ContainsFunc(uniqueKeys(n.relation), func(key []string) bool {
		return !slices.ContainsFunc(key, func(c string) bool { return !slices.Contains(names, c) })
	})
	if !l.Total || !known {
		l.Order = nil
	}
}

// position is the place of a column in the level's rows of keys.
func (l *Level) position(c *schema.Column) int {
	if i := slices.Index(l.columns, c); i >= 0 {
		return i
	}
	l.columns = append(l.columns, c)
	return len(l.columns) - 1
}
