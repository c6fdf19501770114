package plan

// keysetBody writes a cursor page. One row more than the page tells whether there is another page. The rows to render
// and their keys travel side by side, so that the keys need not be selected.
func (w *statement) keysetBody(k *keyset) {
	p := &keysetPage{keyset: k, sqlBuilder: w.sqlBuilder, root: w.root}
	inPage, first, last, more := "", "1", "q.c", "false"
	if w.root.limit {
		p.limit = w.placeholder(w.root.limitArg()) + "::bigint"
		inPage = " FILTER (WHERE q.n <= " + p.limit + ")"
		first = "least(1, " + p.limit + ")"
		last = "least(q.c, " + p.limit + ")"
		more = "coalesce(bool_or(q.c > " + p.limit + "), false)"
	}
	w.put("SELECT ")
	w.total("pg_catalog.count(*)", !k.bounded && !w.root.limit)
	w.put(" AS total, pg_catalog.count(*)", inPage, " AS rows, ")
	w.keysetRows(k, inPage)
	w.put(" AS body, ", responseSettings, ", json_build_array(",
		"json_agg(q.k) FILTER (WHERE q.n = ", first, ") -> 0, ",
		"json_agg(q.k) FILTER (WHERE q.n = ", last, ") -> 0, ", more, ") AS keyset ",
		"FROM (SELECT p.r, p.k, row_number() OVER () AS n, pg_catalog.count(*) OVER () AS c FROM (")
	p.write(w.root.scope.unique("x"))
	w.put(") p) q")
}

// keysetRows renders the rows in the order of the request, also on the way back.
func (w *statement) keysetRows(k *keyset, inPage string) {
	order := " ORDER BY q.n"
	if k.Backward {
		order += " DESC"
	}
	switch w.answer.render {
	case renderArray:
		w.put("coalesce(json_agg(q.r", order, ")", inPage, ", '[]')")
	case renderStripped:
		w.put("coalesce(json_strip_nulls(json_agg(q.r", order, ")", inPage, "), '[]')")
	default:
		w.put("''")
	}
}

// keysetPage writes the rows r of a page, and their keys k, in the order of the page's direction.
type keysetPage struct {
	*keyset
	*sqlBuilder
	root  *node
	limit string // placeholder, or empty
}

func (p *keysetPage) write(row string) {
	branches := [][]comparison{nil}
	if p.bounded {
		branches = p.branches()
	}
	if len(branches) == 1 {
		p.writeRows(row, branches[0], false)
		return
	}
	// The branches come in the order already, so that PostgreSQL merges them and reads no further than the page.
	p.put("SELECT u.r, u.k FROM (")
	p.each(len(branches), " UNION ALL ", func(i int) {
		p.put("(")
		p.writeRows(row, branches[i], true)
		p.put(")")
	})
	p.put(") u ORDER BY ")
	p.each(len(p.terms), ", ", func(i int) { p.put("u.o", itoa(i+1), p.terms[i].suffix(p.Backward)) })
	p.writeLimit()
}

// writeRows puts the rows of one branch; sortable adds the columns that branches are merged by.
func (p *keysetPage) writeRows(row string, branch []comparison, sortable bool) {
	n, table := p.root, p.root.table()
	p.put("SELECT (", QuoteIdent(row), ".*)::record AS r, ARRAY[")
	p.each(len(p.terms), ", ", func(i int) { p.put(p.column(table, i), "::text") })
	p.put("] AS k")
	if sortable {
		for i := range p.terms {
			p.put(", ", p.column(table, i), " AS o", itoa(i+1))
		}
	}
	n.writeFrom(p.sqlBuilder)
	n.writeJoins(p.sqlBuilder)
	p.put(" CROSS JOIN LATERAL (SELECT ")
	n.writeColumns(p.sqlBuilder)
	p.put(") ", QuoteIdent(row))
	sep := n.writeConditions(p.sqlBuilder, false)
	p.writeBranch(p.sqlBuilder, table, sep, branch)
	p.put(" ORDER BY ")
	p.each(len(p.terms), ", ", func(i int) { p.put(p.column(table, i), p.terms[i].suffix(p.Backward)) })
	p.writeLimit()
}

func (p *keysetPage) writeLimit() {
	if p.limit != "" {
		p.put(" LIMIT ", p.limit, " + 1")
	}
}
