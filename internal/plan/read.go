package plan

import (
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// New plans a GET or HEAD of a relation or function. Errors are *apierr.Error.
func New(snapshot *schema.Snapshot, r *request.Request, o Options) (*Read, error) {
	b := &builder{snapshot: snapshot, request: r, options: o, aliases: map[string]struct{}{}}
	if r.Target == request.Function {
		return b.call()
	}
	relation, err := Relation(snapshot, r)
	if err != nil {
		return nil, err
	}
	name := relation.Name
	root := &node{name: r.Name, from: name, relation: relation}
	if err := b.tree(root); err != nil {
		return nil, err
	}
	a, err := b.negotiate(name, wholeRows(&r.Query.Select))
	if err != nil {
		return nil, err
	}
	return b.read(root, a, nil, nil)
}

// Relation finds the relation that a request names.
func Relation(s *schema.Snapshot, r *request.Request) (*schema.Relation, error) {
	name := schema.Name{Schema: r.Schema, Name: r.Name}
	if relation := s.Relations[name]; relation != nil {
		return relation, nil
	}
	e := &apierr.Error{
		Code:    "PGRST205",
		Message: "Could not find the table '" + name.Schema + "." + name.Name + "' in the schema cache",
	}
	if similar := s.SimilarRelation(name); similar != "" {
		e.Hint = "Perhaps you meant the table '" + name.Schema + "." + similar + "'"
	}
	return nil, e
}

func wholeRows(s *request.Select) bool {
	return len(s.Embeds) == 0 && len(s.Fields) == 1 && s.Fields[0].Name == "*"
}

// tree resolves the whole request below root.
func (b *builder) tree(root *node) error {
	q := &b.request.Query
	if root.fromAlias != "" {
		b.alias(root.fromAlias)
	}
	if err := b.embed(root, &q.Select, 1); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return b.filters(root) },
		func() error { return b.orders(root) },
		func() error { return b.windows(root) },
		func() error { return b.fields(root, &q.Select, false) },
		root.lift,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// CheckAffected refuses Prefer: max-affected with handling=strict for a function that gives one value.
func (p *Read) CheckAffected(prefer *request.Preferences) error {
	if prefer.MaxAffected == nil || prefer.Handling != "strict" || p.Function == nil || p.Function.Returns.Set {
		return nil
	}
	return apierr.New("PGRST128",
		"Function must return SETOF or TABLE when max-affected preference is used with handling=strict")
}

// read assembles the statement around the tree. source, if not nil, writes the CTE pgrst_source of a function call.
func (b *builder) read(root *node, a answer, f *schema.Function, source func(*sqlBuilder)) (*Read, error) {
	out := &Read{Media: a.media, Function: f, Renames: b.renames}
	if b.request.Method == "HEAD" && a.media.Name != request.Plan {
		a.render = renderNothing
	}
	counted := b.request.Prefer.Count == "exact" || b.request.Prefer.Count == "estimated"
	s := &sqlBuilder{}
	if a.media.Name == request.Plan {
		out.Format = Explained
		writeExplain(s, a.media.Plan)
	}
	if source != nil {
		s.put("WITH pgrst_source AS (")
		source(s)
		s.put(") ")
	}
	k, err := b.keyset(root, a)
	if err != nil {
		return nil, err
	}
	w := &statement{sqlBuilder: s, root: root, answer: a, function: f, counted: counted, request: b.request, options: b.options}
	switch {
	case out.Format != Explained && a.render == renderCSV:
		out.Format = CSVRows
		w.rows(root.writeSelect)
	case out.Format != Explained && a.render == renderNDJSON:
		out.Format = NDJSONRows
		w.rows(w.writeJSONRows)
	case k != nil:
		out.Keyset = &k.Keyset
		w.keysetBody(k)
	default:
		w.body()
	}
	out.SQL, out.Args, out.Counted = s.String(), s.args, counted
	if source == nil {
		b.estimate(out, root)
	}
	return out, nil
}

// estimate adds EXPLAIN of the counted query, for count=planned and count=estimated.
func (b *builder) estimate(out *Read, root *node) {
	if c := b.request.Prefer.Count; c != "planned" && c != "estimated" || out.Format == Explained {
		return
	}
	s := &sqlBuilder{}
	writeExplain(s, &request.PlanOptions{JSON: true})
	root.writeCount(s)
	out.EstimateSQL, out.EstimateArgs = s.String(), s.args
}

// statement writes the outermost SELECT.
type statement struct {
	*sqlBuilder
	root     *node
	answer   answer
	function *schema.Function
	counted  bool
	request  *request.Request
	options  Options
}

// body writes the one row of ColumnTotal … ColumnStatus.
func (w *statement) body() {
	page := "pg_catalog.count(_postgrest_t)"
	if w.function != nil && !w.function.Returns.Set {
		page = "1"
	}
	w.put("SELECT ")
	w.total(page)
	w.put(" AS total_result_set, ", page, " AS page_total, ")
	w.answer.writeBody(w.sqlBuilder, w.function)
	w.put(" AS body, nullif(current_setting('response.headers', true), '') AS response_headers, ",
		"nullif(current_setting('response.status', true), '') AS response_status FROM (")
	w.root.writeSelect(w.sqlBuilder)
	w.put(") _postgrest_t")
}

// total writes the total of count=. Without a window the page is the whole result.
func (w *statement) total(page string) {
	switch {
	case !w.counted:
		w.put("null::bigint")
	case !w.root.limit && !w.root.offset:
		w.put(page)
	default:
		w.put("(SELECT pg_catalog.count(*) FROM (")
		w.root.writeCount(w.sqlBuilder)
		if w.request.Prefer.Count == "estimated" && w.options.MaxRows > 0 {
			w.put(" LIMIT ")
			w.bindText(itoa(int(w.options.MaxRows) + 1)) // enough to know that there are more
			w.put("::bigint")
		}
		w.put(") pgrst_source_count)")
	}
}

// rows writes a statement whose rows are the answer's rows. The total of count=exact, if asked, comes as a first
// column; a row that is otherwise NULL carries it when there are no rows.
func (w *statement) rows(sel func(*sqlBuilder)) {
	if !w.counted {
		sel(w.sqlBuilder)
		return
	}
	w.put("SELECT pgrst_total.n, pgrst_rows.* FROM (SELECT pg_catalog.count(*) AS n FROM (")
	w.root.writeCount(w.sqlBuilder)
	w.put(") c) pgrst_total LEFT JOIN (SELECT true AS present, _postgrest_t.* FROM (")
	sel(w.sqlBuilder)
	w.put(") _postgrest_t) pgrst_rows ON true")
}

func (w *statement) writeJSONRows(s *sqlBuilder) {
	row := "_postgrest_t"
	if w.function != nil && !w.function.Returns.Composite {
		row = "_postgrest_t.pgrst_scalar"
	}
	s.put("SELECT to_json(", row, ")::text AS row FROM (")
	w.root.writeSelect(s)
	s.put(") _postgrest_t")
}
