package plan

import (
	"github.com/slipstream-go/slipstream/internal/request"
)

// writeSelect puts the level and, through lateral joins, all embeds below it.
func (n *node) writeSelect(s *sqlBuilder) {
	s.put("SELECT ")
	groups := n.writeColumns(s)
	n.writeFrom(s)
	n.writeJoins(s)
	n.writeConditions(s, false)
	if n.grouped() {
		n.writeGroup(s, groups)
	}
	writeOrder(s, n.order, n.table())
	n.writeWindow(s)
}

// selectList writes a SELECT list and remembers the positions of the columns that are no aggregates.
type selectList struct {
	*sqlBuilder
	count  int
	groups []int
}

func (l *selectList) next(a request.Aggregate) {
	if l.count > 0 {
		l.put(", ")
	}
	l.count++
	if a == request.NoAggregate {
		l.groups = append(l.groups, l.count)
	}
}

// writeColumns returns the positions of the columns that are no aggregates. (They are wrong behind a * that could not
// be expanded, which cannot stand beside an aggregate anyway.)
func (n *node) writeColumns(s *sqlBuilder) []int {
	return n.writeColumnsOf(s, func(c *node) string { return c.agg() + ".*" })
}

// writeColumnsOf is writeColumns where row gives the expression for the one row of an embed.
func (n *node) writeColumnsOf(s *sqlBuilder, row func(*node) string) []int {
	l := &selectList{sqlBuilder: s}
	if len(n.fields) == 0 && len(n.children) == 0 {
		l.next(request.NoAggregate)
		s.put(n.table(), ".*") // nothing is shown of them, but the rows must be there
	}
	for i := range n.fields {
		l.next(n.fields[i].aggregate)
		n.fields[i].write(s, n.table())
	}
	for i := range n.extra {
		l.next(request.NoAggregate)
		n.extra[i].write(s, n.table())
	}
	for _, c := range n.children {
		c.writeInParent(l, row)
	}
	return l.groups
}

// writeInParent puts what the embed contributes to its parent's SELECT list.
func (n *node) writeInParent(l *selectList, row func(*node) string) {
	switch {
	case n.spread != noSpread:
		for _, c := range n.lifted {
			l.next(c.aggregate)
			aggregated(l.sqlBuilder, c.aggregate, c.aggregateCast, func() { l.put(quoteColumn(n.agg(), c.name)) })
			if c.alias != "" {
				l.put(" AS ", QuoteIdent(c.alias))
			}
		}
	case n.empty():
	case n.toMany():
		l.next(request.NoAggregate)
		l.put("COALESCE( ", quoteColumn(n.agg(), n.rows), ", '[]') AS ", QuoteIdent(n.outputName()))
	default:
		l.next(request.NoAggregate)
		l.put("row_to_json(", row(n), ")::jsonb AS ", QuoteIdent(n.outputName()))
	}
}

// writeJoins joins the embeds' sub-queries, but for those of which nothing is seen: the conditions ask whether they
// have rows.
func (n *node) writeJoins(s *sqlBuilder) {
	for _, c := range n.children {
		if !c.unseen() {
			c.writeJoin(s)
		}
	}
}

// unseen is true for an embed that only filters. EXISTS finds out faster than a join that collects rows for nobody.
func (n *node) unseen() bool {
	return n.spread == noSpread && !n.ordered && n.window == noWindow && n.empty()
}

// writeJoin joins the embed's sub-query to its parent.
func (n *node) writeJoin(s *sqlBuilder) {
	inner := n.joinHead(s)
	if !n.toMany() {
		n.writeSelect(s)
		s.put(" ) AS ", n.agg(), " ON TRUE")
		return
	}
	if n.spread == toManySpread {
		n.writeArrays(s)
	} else {
		s.put("SELECT json_agg(", n.agg(), ".*)::jsonb AS ", QuoteIdent(n.rows))
	}
	s.put(" FROM (")
	n.writeSelect(s)
	n.joinTail(s, inner)
}

func (n *node) joinHead(s *sqlBuilder) (inner bool) {
	inner = n.join == request.JoinInner
	if inner {
		s.put(" INNER JOIN LATERAL ( ")
	} else {
		s.put(" LEFT JOIN LATERAL ( ")
	}
	return inner
}

// joinTail ends the sub-query of a to-many embed.
func (n *node) joinTail(s *sqlBuilder, inner bool) {
	s.put(" ) AS ", n.agg(), " ) AS ", n.agg(), " ON ")
	if inner {
		s.put(quoteColumn(n.agg(), n.rows), " IS NOT NULL")
	} else {
		s.put("TRUE")
	}
}

// writeArrays aggregates every column of a to-many spread into an array. The first column is NULL when there are no
// rows, as the array of whole rows is in other embeds.
func (n *node) writeArrays(s *sqlBuilder) {
	s.put("SELECT nullif(count(*), 0) AS ", QuoteIdent(n.rows))
	for _, l := range n.lifted {
		s.put(", COALESCE(json_agg(", quoteColumn(n.agg(), l.name))
		writeOrder(s, n.aggOrder, n.agg())
		s.put("),'[]')::jsonb AS ", QuoteIdent(l.name))
	}
}

func (n *node) writeFrom(s *sqlBuilder) {
	s.put(" FROM ")
	if n.rel != nil && n.rel.Function != nil {
		// The cast names the row type, so that the right one of several overloads is called.
		s.put(QuoteName(*n.rel.Function), "((", n.parent.table(), ".*)::", QuoteName(n.rel.Origin), ")")
	} else {
		s.put(QuoteName(n.from))
	}
	s.put(" AS ", n.table())
	if n.junction != "" {
		s.put(", ", QuoteName(n.rel.Junction.Table), " AS ", QuoteIdent(n.junction))
	}
}

// writeConditions puts the filters, what embeds demand and the conditions that join the level to its parent. It returns
// the separator for what follows.
func (n *node) writeConditions(s *sqlBuilder, counting bool) string {
	sep := " WHERE "
	next := func() {
		s.put(sep)
		sep = " AND "
	}
	for i := range n.where {
		next()
		n.where[i].write(s, n.table(), counting)
	}
	n.eachJoined(func(left, leftColumn, right, rightColumn string) {
		next()
		s.put(quoteColumn(left, leftColumn), " = ", quoteColumn(right, rightColumn))
	})
	for _, c := range n.children {
		if c.join == request.JoinInner && (counting || c.unseen()) {
			next()
			s.put("EXISTS (")
			c.writeCount(s)
			s.put(")")
		}
	}
	return sep
}

// eachJoined gives the pairs of columns that join the level to its parent.
func (n *node) eachJoined(on func(left, leftColumn, right, rightColumn string)) {
	switch {
	case n.rel == nil || n.rel.Function != nil:
	case n.rel.Junction != nil:
		junction := QuoteIdent(n.junction)
		for _, p := range n.rel.Junction.Target {
			on(n.table(), p.Left, junction, p.Right)
		}
		for _, p := range n.rel.Junction.Origin {
			on(junction, p.Right, n.parent.table(), p.Left)
		}
	default:
		for _, p := range n.rel.Columns {
			on(n.table(), p.Right, n.parent.table(), p.Left)
		}
	}
}

// writeGroup groups by position: an alias would lose against a column of the table that has its name.
func (n *node) writeGroup(s *sqlBuilder, positions []int) {
	if len(positions) == 0 {
		return
	}
	s.put(" GROUP BY ")
	s.each(len(positions), ", ", func(i int) { s.put(itoa(positions[i])) })
}

func (n *node) writeWindow(s *sqlBuilder) {
	if n.limit {
		s.put(" LIMIT ")
		s.bind(n.limitArg())
	}
	if n.offset {
		s.put(" OFFSET ")
		s.bind(Arg{Kind: ArgOffset, Index: n.window})
	}
}

func (n *node) limitArg() Arg {
	if n.window == noWindow {
		return Arg{Kind: ArgMaxRows, Most: n.guard.maxRows()}
	}
	return Arg{Kind: ArgLimit, Index: n.window, Most: n.guard.maxRows()}
}

// writeCount puts SELECT 1 for every row that the level has without its window.
func (n *node) writeCount(s *sqlBuilder) {
	if s.counts++; s.counts > mostCounts {
		return
	}
	s.put("SELECT 1")
	n.writeFrom(s)
	n.writeConditions(s, true)
}
