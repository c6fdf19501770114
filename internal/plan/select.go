package plan

import (
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// writeSelect puts the level and, through lateral joins, all embeds below it.
func (n *node) writeSelect(s *sqlBuilder) {
	table := n.table()
	s.put("SELECT ")
	n.writeColumns(s, table)
	n.writeFrom(s)
	for _, c := range n.children {
		c.writeJoin(s)
	}
	n.writeWhere(s, table)
	n.writeGroup(s, table)
	writeOrder(s, n.order, table)
	n.writeWindow(s)
}

func (n *node) writeColumns(s *sqlBuilder, table string) {
	sep := ""
	next := func() {
		s.put(sep)
		sep = ", "
	}
	if len(n.sel) == 0 && len(n.children) == 0 {
		next()
		s.put(table, ".*") // nothing is shown of them, but the rows must be there
	}
	for i := range n.sel {
		next()
		n.sel[i].write(s, table)
	}
	for i := range n.extra {
		next()
		n.extra[i].write(s, table)
	}
	for _, c := range n.children {
		c.writeInParent(s, next)
	}
}

func (f *selected) write(s *sqlBuilder, table string) {
	if f.table != "" {
		table = f.table
	}
	aggregated(s, f.aggregate, f.aggregateCast, func() {
		cast(s, f.cast, func() {
			if f.transform != (schema.Name{}) {
				s.put(QuoteName(f.transform), "(")
				defer s.put(")")
			}
			f.field.write(s, table)
		})
	})
	if f.alias != "" {
		s.put(" AS ", QuoteIdent(f.alias))
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

// writeInParent puts what the embed contributes to its parent's SELECT list.
func (n *node) writeInParent(s *sqlBuilder, next func()) {
	agg := QuoteIdent(n.aggAlias)
	switch {
	case n.spread != noSpread:
		for _, l := range n.lifted {
			next()
			aggregated(s, l.aggregate, l.aggregateCast, func() { s.put(quoteColumn(agg, l.name)) })
			if l.alias != "" {
				s.put(" AS ", QuoteIdent(l.alias))
			}
		}
	case n.empty():
	case n.rel.Cardinality.ToOne():
		next()
		s.put("row_to_json(", agg, ".*)::jsonb AS ", QuoteIdent(n.outputName()))
	default:
		next()
		s.put("COALESCE( ", agg, ".", agg, ", '[]') AS ", QuoteIdent(n.outputName()))
	}
}

// writeJoin joins the embed's sub-query to its parent.
func (n *node) writeJoin(s *sqlBuilder) {
	agg := QuoteIdent(n.aggAlias)
	if n.join == request.JoinInner {
		s.put(" INNER JOIN LATERAL ( ")
	} else {
		s.put(" LEFT JOIN LATERAL ( ")
	}
	toMany := n.spread == toManySpread || n.spread == noSpread && !n.rel.Cardinality.ToOne()
	if toMany {
		s.put("SELECT json_agg(", agg, ")::jsonb AS ", agg)
		if n.spread == toManySpread {
			n.writeArrays(s, agg)
		}
		s.put(" FROM (")
	}
	n.writeSelect(s)
	if toMany {
		s.put(" ) AS ", agg)
	}
	s.put(" ) AS ", agg)
	if toMany && n.join == request.JoinInner {
		s.put(" ON ", agg, " IS NOT NULL")
	} else {
		s.put(" ON TRUE")
	}
}

// writeArrays aggregates every column of a to-many spread into an array.
func (n *node) writeArrays(s *sqlBuilder, agg string) {
	for _, l := range n.lifted {
		s.put(", COALESCE(json_agg(", quoteColumn(agg, l.name))
		writeOrder(s, n.aggOrder, agg)
		s.put("),'[]')::jsonb AS ", QuoteIdent(l.name))
	}
}

func (n *node) writeFrom(s *sqlBuilder) {
	s.put(" FROM ")
	if n.rel != nil && n.rel.Function != nil {
		// The cast names the row type, so that the right one of several overloads is called.
		row := n.parent.table()
		if n.parent.fromAlias == "" {
			row = QuoteIdent(n.parent.from.Name)
		}
		s.put(QuoteName(*n.rel.Function), "(", row, "::", QuoteName(n.rel.Origin), ")")
	} else {
		s.put(QuoteName(n.from))
	}
	if n.fromAlias != "" {
		s.put(" AS ", QuoteIdent(n.fromAlias))
	}
	if n.junction != "" {
		s.put(", ", QuoteName(n.rel.Junction.Table), " AS ", QuoteIdent(n.junction))
	}
}

// writeWhere puts the filters and the conditions that join the level to its parent, and returns the separator for
// what follows.
func (n *node) writeWhere(s *sqlBuilder, table string) string {
	sep := " WHERE "
	for i := range n.where {
		s.put(sep)
		n.where[i].write(s, table, false)
		sep = " AND "
	}
	return n.writeJoinConditions(s, table, sep)
}

// writeJoinConditions returns the separator for what follows.
func (n *node) writeJoinConditions(s *sqlBuilder, table, sep string) string {
	if n.rel == nil || n.rel.Function != nil {
		return sep
	}
	on := func(left, leftColumn, right, rightColumn string) {
		s.put(sep, quoteColumn(left, leftColumn), " = ", quoteColumn(right, rightColumn))
		sep = " AND "
	}
	if j := n.rel.Junction; j != nil {
		junction := QuoteIdent(n.junction)
		for _, p := range j.Target {
			on(table, p.Left, junction, p.Right)
		}
		for _, p := range j.Origin {
			on(junction, p.Right, n.parent.table(), p.Left)
		}
		return sep
	}
	for _, p := range n.rel.Columns {
		on(table, p.Right, n.parent.table(), p.Left)
	}
	return sep
}

func (n *node) writeGroup(s *sqlBuilder, table string) {
	if !n.grouped() {
		return
	}
	sep := " GROUP BY "
	put := func(parts ...string) {
		s.put(sep)
		s.put(parts...)
		sep = ", "
	}
	for i := range n.sel {
		f := &n.sel[i]
		switch {
		case f.aggregate != request.NoAggregate:
		case f.alias != "":
			put(QuoteIdent(f.alias))
		default:
			put()
			f.field.write(s, table)
		}
	}
	for _, c := range n.children {
		if c.spread == noSpread {
			if !c.empty() {
				put(QuoteIdent(c.outputName()))
			}
			continue
		}
		for _, l := range c.lifted {
			if l.aggregate == request.NoAggregate {
				put(quoteColumn(QuoteIdent(c.aggAlias), l.name))
			}
		}
	}
}

func (n *node) writeWindow(s *sqlBuilder) {
	if n.limit {
		s.put(" LIMIT ")
		if n.window == noWindow {
			s.bind(Arg{Kind: ArgMaxRows})
		} else {
			s.bind(Arg{Kind: ArgLimit, Index: n.window})
		}
	}
	if n.offset {
		s.put(" OFFSET ")
		s.bind(Arg{Kind: ArgOffset, Index: n.window})
	}
}

// writeCount puts SELECT 1 for every row that the level has without its window. Inner embeds filter it by EXISTS.
func (n *node) writeCount(s *sqlBuilder) {
	table := n.table()
	s.put("SELECT 1")
	n.writeFrom(s)
	sep := " WHERE "
	for i := range n.where {
		s.put(sep)
		n.where[i].write(s, table, true)
		sep = " AND "
	}
	sep = n.writeJoinConditions(s, table, sep)
	for _, c := range n.children {
		if c.join == request.JoinInner {
			s.put(sep, "EXISTS (")
			c.writeCount(s)
			s.put(" )")
			sep = " AND "
		}
	}
}
