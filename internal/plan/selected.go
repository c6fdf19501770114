package plan

import (
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// selected is one item of a SELECT list.
type selected struct {
	field
	aggregate     request.Aggregate
	aggregateCast string
	cast          string
	alias         string
	table         string // overrides the level's own table, for columns of an embed
}

// selects resolves the selected columns of the whole tree. outer is true below a level that aggregates.
func (b *builder) selects(n *node, outer bool) error {
	own := aggregates(n.sel)
	if own && !b.options.Aggregates {
		return apierr.New("PGRST123", "Use of aggregate functions is not allowed")
	}
	outer = outer || own
	r := resolver{b.snapshot, n.relation}
	expand := n.relation != nil && (outer || n.spread == toManySpread || n.spreadsAggregates() || r.represented())
	for i := range n.sel.Fields {
		f := &n.sel.Fields[i]
		if expand && f.Name == "*" && f.Aggregate == request.NoAggregate {
			n.expand(r)
			continue
		}
		s := selected{field: r.output(f.Column), aggregate: f.Aggregate, aggregateCast: f.AggregateCast, cast: f.Cast, alias: f.Alias}
		s.present = f.Name == "*" && f.Aggregate == request.Count && n.spread != noSpread
		n.add(s)
	}
	for _, c := range n.children {
		if err := b.selects(c, outer || n.spread == toManySpread); err != nil {
			return err
		}
	}
	return nil
}

// expand selects every column of the relation by its name.
func (n *node) expand(r resolver) {
	for i := range n.relation.Columns {
		n.add(selected{field: r.output(request.Column{Name: n.relation.Columns[i].Name})})
	}
}

func (n *node) add(s selected) {
	if s.alias == "" {
		s.alias = s.impliedAlias(n.spread != noSpread)
	}
	n.fields = append(n.fields, s)
}

func aggregates(sel *request.Select) bool {
	for i := range sel.Fields {
		if sel.Fields[i].Aggregate != request.NoAggregate {
			return true
		}
	}
	return false
}

// spreadsAggregates reports whether an aggregate of a to-one spread embed will be computed at this level.
func (n *node) spreadsAggregates() bool {
	for _, c := range n.children {
		if c.spread == toOneSpread && (aggregates(c.sel) || c.spreadsAggregates()) {
			return true
		}
	}
	return false
}

// impliedAlias names a column that the request does not name: by the last key of a JSON path, by the column under a
// data representation, by the aggregate in a spread embed.
func (s *selected) impliedAlias(inSpread bool) string {
	switch {
	case s.aggregate != request.NoAggregate:
		if inSpread {
			return string(s.aggregate)
		}
		return ""
	case len(s.column.Path) > 0:
		for i := len(s.column.Path) - 1; i >= 0; i-- {
			if !s.column.Path[i].Index {
				return s.column.Path[i].Key
			}
		}
		return s.column.Name
	case s.transform != schema.Name{}:
		return s.column.Name
	}
	return ""
}

func (s *selected) write(w *sqlBuilder, table string) {
	if s.table != "" {
		table = s.table
	}
	aggregated(w, s.aggregate, s.aggregateCast, func() {
		cast(w, s.cast, func() {
			if s.transform != (schema.Name{}) {
				w.put(QuoteName(s.transform), "(")
				defer w.put(")")
			}
			s.field.write(w, table)
		})
	})
	if s.alias != "" {
		w.put(" AS ", QuoteIdent(s.alias))
	}
}

func aggregated(s *sqlBuilder, a request.Aggregate, resultCast string, inner func()) {
	if a == request.NoAggregate {
		inner()
		return
	}
	cast(s, resultCast, func() {
		s.put(string(a), "(")
		inner()
		s.put(")")
	})
}

// cast cannot quote its type, or names such as int would stop working; the grammar lets only identifiers through.
func cast(s *sqlBuilder, typ string, inner func()) {
	if typ == "" {
		inner()
		return
	}
	s.put("CAST( ")
	inner()
	s.put(" AS ", typ, " )")
}
