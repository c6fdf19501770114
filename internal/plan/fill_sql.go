package plan

import "slices"

// statements writes the statements that bring the answer, when it was seen and the keys of the rows in it.
func (f *fillBuilder) statements(out *Read) {
	if f.out.Keeping.Limited {
		f.out.LimitedSQL, f.out.LimitedArgs = f.limitedStatement(out)
	}
	if f.out.Unfollowed != "" {
		return
	}
	f.out.SQL, f.out.Args = f.statement(out, f.keyed)
	if f.keyed {
		f.out.Unkeyed, f.out.UnkeyedArgs = f.statement(out, false)
	}
}

// stamp is the snapshot in which the statement itself sees the rows. One that is taken by another statement, before or
// after it, would not do, and that of a standby does not say what is missing in it.
const stamp = ", CASE WHEN pg_catalog.pg_is_in_recovery() THEN null ELSE pg_catalog.pg_current_snapshot()::text END AS stamp, "

func (f *fillBuilder) statement(out *Read, keyed bool) (string, []Arg) {
	if !keyed {
		return around(out, func(s *sqlBuilder) {
			s.put(stamp, "null AS keys")
			s.putChanges()
		})
	}
	w := &statement{sqlBuilder: &sqlBuilder{}, builder: f.builder, root: f.root, answer: f.answer}
	w.answer.row = "slip_page.slip_r"
	w.put("SELECT ")
	w.total("pg_catalog.count(*)", !w.root.limit && !w.root.offset)
	w.put(" AS total, pg_catalog.count(*) AS rows, ")
	w.answer.writeBody(w.sqlBuilder, nil)
	w.put(" AS body, null AS response_headers, null AS response_status, null AS keyset", stamp,
		"json_agg(slip_page.slip_k)::text AS keys")
	w.putChanges()
	w.put(" FROM (")
	k := &keyedSelect{sqlBuilder: w.sqlBuilder, levels: f.out.Levels}
	k.level(f.root)
	w.put(") slip_page")
	return w.String(), w.args
}

// around puts columns beside the answer of the statement as it is: there is one row, and one snapshot for all of a statement.
func around(out *Read, columns func(*sqlBuilder)) (string, []Arg) {
	s := &sqlBuilder{args: slices.Clip(out.Args)}
	s.put("SELECT slip_answer.*")
	if out.Keyset == nil {
		s.put(", null AS keyset")
	}
	columns(s)
	s.put(" FROM (", out.SQL, ") slip_answer")
	return s.String(), s.args
}

// putChanges puts the number of changes of the schema that the statement sees. Of a policy that it has been run under the
// change is among them: both wait for the same lock of the table.
func (s *sqlBuilder) putChanges() {
	s.put(", (SELECT pg_catalog.count(*) FROM slipstream.schema_change c WHERE c.xid >= ")
	s.bind(Arg{Kind: ArgSchemaChanges})
	s.put("::bigint) AS changes")
}

// keyedSelect writes levels as node.writeSelect does, with the row as slip_r and its keys as slip_k beside it.
type keyedSelect struct {
	*sqlBuilder
	levels []Level
}

func (k *keyedSelect) level(n *node) {
	row := QuoteIdent(n.scope.unique("x"))
	k.put("SELECT (", row, ".*)::record AS slip_r, ")
	k.keys(n)
	k.put(" AS slip_k")
	n.writeFrom(k.sqlBuilder)
	for _, c := range n.children {
		k.join(c)
	}
	k.put(" CROSS JOIN LATERAL (SELECT ")
	n.writeColumnsOf(k.sqlBuilder, func(c *node) string { return c.agg() + ".slip_r" })
	k.put(") ", row)
	n.writeConditions(k.sqlBuilder, false)
	writeOrder(k.sqlBuilder, n.order, n.table())
	n.writeWindow(k.sqlBuilder)
}

func (k *keyedSelect) of(n *node) *Level {
	for i := range k.levels {
		if k.levels[i].node == n {
			return &k.levels[i]
		}
	}
	return nil
}

// keys puts the values of a row that identify it and join others to it, then the keys of the rows joined. One value stands
// for itself.
func (k *keyedSelect) keys(n *node) {
	l := k.of(n)
	if l == nil {
		k.put("null::int")
		return
	}
	items := len(l.columns) + len(l.children)
	if items > 1 {
		k.put("json_build_array(")
	}
	k.each(items, ", ", func(i int) {
		if i >= len(l.columns) {
			k.put(k.levels[l.children[i-len(l.columns)]].node.agg(), ".slip_k")
			return
		}
		c := l.columns[i]
		k.value(quoteColumn(n.table(), c.Name), kindOf(c))
	})
	if items > 1 {
		k.put(")")
	}
}

// value puts the text that a column has whatever the session's settings.
func (k *keyedSelect) value(column string, kind Kind) {
	switch kind {
	case Integer:
		k.put(column)
	case Timestamp:
		k.moment(column, column, "YYYY-MM-DD HH24:MI:SS.US")
	case Instant:
		k.moment(column, column+" AT TIME ZONE 'UTC'", "YYYY-MM-DD HH24:MI:SS.US")
	case Date:
		k.moment(column, column, "YYYY-MM-DD")
	default:
		k.put(column, "::text")
	}
}

// moment puts a date or time in a format. to_char makes NULL of the infinities and leaves BC out: those become a text that
// compares with nothing.
func (k *keyedSelect) moment(column, in, format string) {
	k.put("CASE WHEN pg_catalog.isfinite(", column, ") AND ", column, " >= '0002-01-01' THEN pg_catalog.to_char(", in, ", '", format,
		"') WHEN ", column, " IS NOT NULL THEN 'beyond' END")
}

// join is node.writeJoin with keys.
func (k *keyedSelect) join(n *node) {
	inner := n.joinHead(k.sqlBuilder)
	if !n.toMany() {
		k.level(n)
		k.put(" ) AS ", n.agg(), " ON TRUE")
		return
	}
	k.put("SELECT json_agg(", n.agg(), ".slip_r)::jsonb AS ", QuoteIdent(n.rows), ", json_agg(", n.agg(), ".slip_k) AS slip_k FROM (")
	k.level(n)
	n.joinTail(k.sqlBuilder, inner)
}
