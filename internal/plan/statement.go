package plan

import (
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// read assembles the statement around the tree. f is the called function, nil for a relation.
func (b *builder) read(root *node, a answer, f *schema.Function) (*Read, error) {
	root.stored(a)
	k, err := b.keyset(root, a)
	if err != nil {
		return nil, err
	}
	s := &sqlBuilder{}
	if a.media.Name == request.Plan {
		writeExplain(s, a.media.Plan)
	}
	explain := s.Len()
	if f != nil {
		s.put("WITH slip_source AS (")
		b.writeCall(s, f, root)
		s.put(") ")
	}
	out := &Read{
		Media: a.media, Function: f, Renames: b.renames,
		MaxRows: b.maxRows(root), MaxCost: root.guard.maxCost(a.media), Settings: root.settings(),
	}
	w := &statement{sqlBuilder: s, builder: b, root: root, answer: a, function: f}
	out.Counted = w.counted()
	switch {
	case a.render == renderCSV:
		out.Format = CSVRows
		w.rows(root.writeSelect)
	case a.render == renderNDJSON:
		out.Format = NDJSONRows
		w.rows(w.writeJSONRows)
	case k != nil:
		out.Keyset = &k.Keyset
		w.keysetBody(k)
	default:
		w.body()
	}
	out.SQL, out.Args = s.String(), s.args
	if out.MaxCost > 0 {
		out.CostSQL = explained(out.SQL[explain:])
	}
	if a.media.Name == request.Plan {
		out.Format = Explained
	} else if f == nil {
		if err := b.estimate(out, root); err != nil {
			return nil, err
		}
	}
	if b.options.Fills {
		out.Fill = b.fill(out, root, a)
	}
	return out, s.check()
}

// stored leaves the rows as they are stored where a handler of the relation's own takes them.
func (n *node) stored(a answer) {
	if a.render == renderCustom && a.target != (schema.Name{}) {
		n.fields = []selected{{field: field{column: request.Column{Name: "*"}}}}
	}
}

// estimate adds EXPLAIN of the counted query, for count=planned and count=estimated.
func (b *builder) estimate(out *Read, root *node) error {
	if c := b.request.Prefer.Count; c != "planned" && c != "estimated" {
		return nil
	}
	s := &sqlBuilder{}
	writeExplain(s, &request.PlanOptions{JSON: true})
	root.writeCount(s)
	out.EstimateSQL, out.EstimateArgs = s.String(), s.args
	return s.check()
}

// statement writes the outermost SELECT.
type statement struct {
	*sqlBuilder
	*builder
	root     *node
	answer   answer
	function *schema.Function
}

// counted is true when the statement itself counts.
func (w *statement) counted() bool {
	return w.request.Prefer.Count == "exact" || w.request.Prefer.Count == "estimated"
}

// body writes the one row of ColumnTotal … ColumnStatus.
func (w *statement) body() {
	page := "pg_catalog.count(*)"
	if w.function != nil && !w.function.Returns.Set {
		page = "1"
	}
	w.put("SELECT ")
	w.total(page, !w.root.limit && !w.root.offset)
	w.put(" AS total, ", page, " AS rows, ")
	w.answer.writeBody(w.sqlBuilder, w.function)
	w.put(" AS body, ", responseSettings, " FROM (")
	w.root.writeSelect(w.sqlBuilder)
	w.put(") slip_page")
}

// responseSettings are what functions left for the answer.
const responseSettings = "nullif(current_setting('response.headers', true), '') AS response_headers, " +
	"nullif(current_setting('response.status', true), '') AS response_status"

// total writes the total of count=; whole is true where the page, with its own count, is the whole result.
func (w *statement) total(page string, whole bool) {
	switch {
	case !w.counted():
		w.put("null::bigint")
	case whole:
		w.put(page)
	default:
		w.put("(SELECT pg_catalog.count(*) FROM (")
		w.root.writeCount(w.sqlBuilder)
		w.capCount()
		w.put(") slip_counted)")
	}
}

// explained is EXPLAIN of a statement.
func explained(sql string) string {
	s := &sqlBuilder{}
	writeExplain(s, &request.PlanOptions{JSON: true})
	s.put(sql)
	return s.String()
}

// capCount lets count=estimated count no further than to know that there are more rows than the cap. The rows of a
// function are there anyway, and nobody estimates them.
func (w *statement) capCount() {
	if w.request.Prefer.Count == "estimated" && w.maxRows(w.root) > 0 && w.function == nil {
		w.put(" LIMIT ")
		w.bind(Arg{Kind: ArgMaxRows, Most: w.root.guard.maxRows()})
		w.put("::bigint + 1")
	}
}

// rows writes a statement whose rows are the answer's rows, with the total where one is asked for.
func (w *statement) rows(sel func(*sqlBuilder)) {
	if !w.counted() {
		sel(w.sqlBuilder)
		return
	}
	w.put("SELECT slip_total.n, slip_rows.* FROM (SELECT pg_catalog.count(*) AS n FROM (")
	w.root.writeCount(w.sqlBuilder)
	w.capCount()
	w.put(") c) slip_total LEFT JOIN (SELECT true AS present, slip_page.* FROM (")
	sel(w.sqlBuilder)
	w.put(") slip_page) slip_rows ON true")
}

func (w *statement) writeJSONRows(s *sqlBuilder) {
	row := pageRow
	if w.function != nil && !w.function.Returns.Composite {
		row = pageScalar
	}
	s.put("SELECT pg_catalog.to_json(", row, ")::text AS row FROM (")
	w.root.writeSelect(s)
	s.put(") slip_page")
}
