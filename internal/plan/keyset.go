package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Keyset describes a cursor page: rows in a total order, from a known key on, so that a page far down costs what the
// first one costs (https://use-the-index-luke.com/no-offset).
type Keyset struct {
	// Order spells the relation and its total order out. A cursor is good for one such order only.
	Order string
	// Relation and Columns are what the key is made of.
	Relation schema.Name
	Columns  []string
	// Backward is true for the page before the cursor.
	Backward bool
}

// keyset is the order of a cursor page, on columns of the root.
type keyset struct {
	Keyset
	terms    []keyTerm
	bounded  bool // there is a cursor to start from
	backward bool
}

type keyTerm struct {
	column     *schema.Column
	descending bool
	nullsFirst bool
}

func cursorError(message, hint string) error {
	return &apierr.Error{Code: "SLIP100", Message: message, Hint: hint}
}

// keyset resolves the order of a cursor page, or returns nil when none was asked for.
func (b *builder) keyset(root *node, a answer) (*keyset, error) {
	r := b.request
	if r.Prefer.Pagination != "cursor" && r.Query.Cursor == "" || r.Target != request.Relation {
		return nil, nil
	}
	switch {
	case r.Window.Offset > 0:
		return nil, cursorError("A cursor page cannot have an offset", "Leave offset= and the Range header out and follow the Link headers")
	case !slices.Contains([]render{renderArray, renderStripped, renderNothing}, a.render) || a.media.Name == request.Plan:
		return nil, cursorError("Cursor pages are not available as "+a.media.Name, "Accept application/json")
	case root.grouped():
		return nil, cursorError("Cursor pages cannot be made of aggregates", "Leave Prefer: pagination=cursor out, or select plain columns")
	}
	k := &keyset{bounded: r.Query.Cursor != "", backward: r.Query.CursorBackward}
	for i := range root.order {
		if err := k.add(root, &root.order[i]); err != nil {
			return nil, err
		}
	}
	if err := k.complete(root.relation); err != nil {
		return nil, err
	}
	k.describe(root.relation)
	return k, nil
}

func (k *keyset) add(root *node, o *orderTerm) error {
	column, known := root.relation.Column(o.column.Name)
	if !known || o.table != "" || len(o.column.Path) > 0 {
		return cursorError("Cursor pages can be ordered by columns of '"+root.from.Name+"' only",
			"Leave JSON paths, computed fields and columns of embedded resources out of order=")
	}
	t := keyTerm{column: column, descending: o.direction == request.Desc}
	t.nullsFirst = t.descending // PostgreSQL's default
	if o.nulls != request.NoNulls {
		t.nullsFirst = o.nulls == request.NullsFirst
	}
	k.terms = append(k.terms, t)
	return nil
}

// complete makes the order total by the primary key, unless it has a unique key in it already.
func (k *keyset) complete(r *schema.Relation) error {
	primary := r.PrimaryKey
	if r.Kind == schema.View || r.Kind == schema.Materialized {
		primary = nil // of the tables below; the view's rows may repeat it
	}
	for _, key := range append([][]string{primary}, r.UniqueKeys...) {
		if len(key) > 0 && !slices.ContainsFunc(key, func(c string) bool { return !k.has(c) }) {
			return nil
		}
	}
	if len(primary) == 0 {
		return cursorError("'"+r.Name.Name+"' has no primary key to make its order total",
			"Order by a unique key without NULLs, or use limit and offset")
	}
	for _, name := range primary {
		if column, ok := r.Column(name); ok && !k.has(name) {
			// In the direction of the last term, one index can serve the whole order.
			descending := len(k.terms) > 0 && k.terms[len(k.terms)-1].descending
			k.terms = append(k.terms, keyTerm{column: column, descending: descending, nullsFirst: descending})
		}
	}
	return nil
}

func (k *keyset) has(column string) bool {
	return slices.ContainsFunc(k.terms, func(t keyTerm) bool { return t.column.Name == column })
}

func (k *keyset) describe(r *schema.Relation) {
	var b strings.Builder
	b.WriteString(QuoteName(r.Name))
	for _, t := range k.terms {
		b.WriteString(" " + QuoteIdent(t.column.Name))
		b.WriteString(t.suffix(false))
		k.Columns = append(k.Columns, t.column.Name)
	}
	k.Order, k.Relation, k.Backward = b.String(), r.Name, k.backward
}

// suffix is the direction of the term in ORDER BY.
func (t *keyTerm) suffix(reversed bool) string {
	out := " ASC"
	if t.descending != reversed {
		out = " DESC"
	}
	if t.nullable() {
		if t.nullsFirst != reversed {
			return out + " NULLS FIRST"
		}
		return out + " NULLS LAST"
	}
	return out
}

func (t *keyTerm) nullable() bool { return t.column.Nullable }

func (k *keyset) writeOrder(s *sqlBuilder, table string) {
	s.put(" ORDER BY ")
	s.each(len(k.terms), ", ", func(i int) {
		s.put(quoteColumn(table, k.terms[i].column.Name), k.terms[i].suffix(k.backward))
	})
}

// writeBound puts the condition that a row comes after the cursor: a row comparison where PostgreSQL has one for the
// order, else the same spelt out term by term, with a bound on the first term for an index to begin at.
func (k *keyset) writeBound(s *sqlBuilder, table string) {
	column := func(i int) string { return quoteColumn(table, k.terms[i].column.Name) }
	value := func(i int) {
		s.bind(Arg{Kind: ArgCursor, Index: i})
		s.put("::", k.terms[i].column.NominalType)
	}
	if k.uniform() {
		s.put("(")
		s.each(len(k.terms), ", ", func(i int) { s.put(column(i)) })
		s.put(") ", k.terms[0].after(k.backward), " (")
		s.each(len(k.terms), ", ", value)
		s.put(")")
		return
	}
	if !k.terms[0].nullable() {
		s.put(column(0), " ", k.terms[0].after(k.backward), "= ")
		value(0)
		s.put(" AND ")
	}
	s.put("(")
	s.each(len(k.terms), " OR ", func(i int) {
		s.put("(")
		for j := range i {
			s.put(column(j), equals(k.terms[j].nullable()))
			value(j)
			s.put(" AND ")
		}
		k.terms[i].writeAfter(s, column(i), func() { value(i) }, k.backward)
		s.put(")")
	})
	s.put(")")
}

// uniform is true when all terms run in one direction and none has NULLs.
func (k *keyset) uniform() bool {
	return !slices.ContainsFunc(k.terms, func(t keyTerm) bool {
		return t.nullable() || t.descending != k.terms[0].descending
	})
}

func equals(nullable bool) string {
	if nullable {
		return " IS NOT DISTINCT FROM "
	}
	return " = "
}

func (t *keyTerm) after(reversed bool) string {
	if t.descending != reversed {
		return "<"
	}
	return ">"
}

// writeAfter puts that the column comes after the value, NULLs where the order has them.
func (t *keyTerm) writeAfter(s *sqlBuilder, column string, value func(), reversed bool) {
	s.put(column, " ", t.after(reversed), " ")
	value()
	if !t.nullable() {
		return
	}
	s.put(" OR ")
	if t.nullsFirst != reversed {
		s.put(column, " IS NOT NULL AND ")
		value()
		s.put(" IS NULL")
		return
	}
	s.put(column, " IS NULL AND ")
	value()
	s.put(" IS NOT NULL")
}

// keysetBody writes a cursor page. One row more than the page tells whether there is another page. The rows to render
// and their keys travel side by side, so that the keys need not be selected.
func (w *statement) keysetBody(k *keyset) {
	limit := ""
	if w.root.limit {
		w.args = append(w.args, Arg{Kind: ArgLimit, Index: RootWindow})
		limit = "$" + itoa(len(w.args)) + "::bigint"
	}
	inPage, last, more := "", "q.c", "false"
	if limit != "" {
		inPage = " FILTER (WHERE q.n <= " + limit + ")"
		last = "least(q.c, " + limit + ")"
		more = "coalesce(bool_or(q.c > " + limit + "), false)"
	}
	w.put("SELECT ")
	w.total("pg_catalog.count(*)")
	w.put(" AS total_result_set, pg_catalog.count(*)", inPage, " AS page_total, ")
	w.keysetRows(k, inPage)
	w.put(" AS body, nullif(current_setting('response.headers', true), '') AS response_headers, ",
		"nullif(current_setting('response.status', true), '') AS response_status, ",
		"json_build_array(json_agg(q.k) FILTER (WHERE q.n = 1) -> 0, json_agg(q.k) FILTER (WHERE q.n = ", last, ") -> 0, ",
		more, ") AS keyset ",
		"FROM (SELECT p.*, row_number() OVER () AS n, pg_catalog.count(*) OVER () AS c FROM (")
	w.root.writeKeyed(w.sqlBuilder, k)
	if limit != "" {
		w.put(" LIMIT ", limit, " + 1")
	}
	w.put(") p) q")
}

func (w *statement) keysetRows(k *keyset, inPage string) {
	order := " ORDER BY q.n"
	if k.backward {
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

// writeKeyed puts the rows of the level as pairs of the row to show and its key.
func (n *node) writeKeyed(s *sqlBuilder, k *keyset) {
	table := n.table()
	s.put("SELECT x AS r, ARRAY[")
	s.each(len(k.terms), ", ", func(i int) { s.put(quoteColumn(table, k.terms[i].column.Name), "::text") })
	s.put("] AS k")
	n.writeFrom(s)
	for _, c := range n.children {
		c.writeJoin(s)
	}
	s.put(" CROSS JOIN LATERAL (SELECT ")
	n.writeColumns(s, table)
	s.put(") x")
	sep := n.writeWhere(s, table)
	if k.bounded {
		s.put(sep)
		k.writeBound(s, table)
	}
	k.writeOrder(s, table)
}
