package plan

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Write is the plan of a POST, PATCH, PUT or DELETE of a relation. Its rows are what the statement returns.
type Write struct {
	Read
	// Relation that is written.
	Relation *schema.Relation
	// Key are the columns of ColumnLocation; nil where no Location is asked for.
	Key []string
	// Upsert is true when the result tells how many rows were inserted, in ColumnInserted.
	Upsert bool
}

// The columns that the result of a write has besides those of a Body.
const (
	ColumnLocation = ColumnStatus + 1 + iota // JSON array of texts, or null: the key of the one new row
	ColumnInserted                           // bigint or null: rows inserted by an upsert
)

// NewWrite plans a write. Errors are *apierr.Error.
func NewWrite(snapshot *schema.Snapshot, r *request.Request, o Options) (*Write, error) {
	b := &builder{snapshot: snapshot, request: r, options: o}
	relation, err := Relation(snapshot, r)
	if err != nil {
		return nil, err
	}
	root := &node{name: r.Name, origin: r.Name, from: schema.Name{Name: "pgrst_source"}, relation: relation}
	if err := b.writtenTree(root); err != nil {
		return nil, err
	}
	m, err := b.mutation(root, relation)
	if err != nil {
		return nil, err
	}
	a, err := b.negotiate(relation.Name)
	if err != nil {
		return nil, err
	}
	if r.Prefer.Return != "representation" {
		a.render = renderNothing
	}
	return b.write(root, m, a), nil
}

// writtenTree resolves what is returned. Filters of the top level choose the rows to write, not those to show.
func (b *builder) writtenTree(root *node) error {
	q := b.request.Query
	shown := b.request.Query
	shown.Filters = slices.DeleteFunc(slices.Clone(q.Filters), func(f request.Filter) bool { return len(f.Path) == 0 })
	shown.Logic = slices.DeleteFunc(slices.Clone(q.Logic), func(l request.LogicFilter) bool { return len(l.Path) == 0 })
	shown.Windows = nil
	whole := b.request
	r := *whole
	r.Query, r.Window = shown, request.Window{Limit: request.NoLimit}
	b.request = &r
	unlimited := b.options
	b.options.MaxRows = 0
	err := b.tree(root)
	b.request, b.options = whole, unlimited
	return err
}

// mutation is the statement inside pgrst_source.
type mutation struct {
	relation  *schema.Relation
	columns   []*schema.Column // of the payload
	where     []predicate      // which rows, on the relation; for PUT on the payload
	conflict  []string         // the columns of ON CONFLICT
	ignore    bool             // DO NOTHING
	counted   bool             // the inserted rows are to be counted
	single    bool             // PUT
	returning []string
	defaults  bool // absent keys take the column's default instead of NULL
	array     bool // the payload is an array
	parsers   map[[2]string]schema.Name
}

func (b *builder) mutation(root *node, relation *schema.Relation) (*mutation, error) {
	r := b.request
	m := &mutation{relation: relation, parsers: b.snapshot.Representations, defaults: r.Prefer.Missing == "default"}
	if r.Prefer.Return == "representation" || r.Prefer.Return == "headers-only" {
		m.returning = root.neededColumns()
		if !slices.Contains(m.returning, "*") {
			m.returning = slices.Compact(slices.Sorted(slices.Values(append(m.returning, relation.PrimaryKey...))))
		}
	}
	target := &node{relation: relation}
	for i := range r.Query.Logic {
		if l := &r.Query.Logic[i]; len(l.Path) == 0 {
			m.where = append(m.where, b.predicate(target, &l.Logic))
		}
	}
	for i := range r.Query.Filters {
		if f := &r.Query.Filters[i]; len(f.Path) == 0 {
			m.where = append(m.where, b.leaf(target, &f.Condition))
		}
	}
	if r.Method == "DELETE" {
		return m, nil
	}
	if err := m.take(r); err != nil {
		return nil, err
	}
	switch r.Method {
	case "POST":
		m.where = nil
		m.upsert(r)
	case "PUT":
		m.single, m.counted, m.conflict, m.defaults = true, true, relation.PrimaryKey, false
		return m, m.checkPut(r)
	}
	return m, nil
}

// take resolves the payload's columns.
func (m *mutation) take(r *request.Request) error {
	m.array = !r.Payload.Object
	for _, name := range r.Payload.Columns {
		c, ok := m.relation.Column(name)
		if !ok {
			return &apierr.Error{
				Code:    "PGRST204",
				Message: "Could not find the '" + name + "' column of '" + m.relation.Name.Name + "' in the schema cache",
			}
		}
		m.columns = append(m.columns, c)
	}
	return nil
}

func (m *mutation) upsert(r *request.Request) {
	if r.Prefer.Resolution == "" {
		return
	}
	m.ignore = r.Prefer.Resolution == "ignore-duplicates"
	m.counted = !m.ignore
	m.conflict = m.relation.PrimaryKey
	if len(r.Query.OnConflict) > 0 {
		m.conflict = r.Query.OnConflict
	}
}

// checkPut holds a PUT to name one row by its whole primary key.
func (m *mutation) checkPut(r *request.Request) error {
	key := m.relation.PrimaryKey
	var named []string
	exact := len(r.Query.Logic) == 0 && len(key) > 0
	for _, f := range r.Query.Filters {
		exact = exact && f.Operator == request.Eq && !f.Not && f.Quantifier == request.NoQuantifier && len(f.Column.Path) == 0
		named = append(named, f.Column.Name)
	}
	slices.Sort(named)
	if !exact || !slices.Equal(slices.Compact(named), slices.Sorted(slices.Values(key))) {
		return apierr.New("PGRST105", "Filters must include all and only primary key columns with 'eq' operators")
	}
	return nil
}

// write assembles the statement.
func (b *builder) write(root *node, m *mutation, a answer) *Write {
	out := &Write{Relation: m.relation, Upsert: b.request.Method == "PUT" || b.request.Method == "POST" && b.request.Prefer.Resolution == "merge-duplicates"}
	out.Media, out.Renames = a.media, b.renames
	s := &sqlBuilder{}
	if a.media.Name == request.Plan {
		writeExplain(s, a.media.Plan)
	}
	s.put("WITH pgrst_source AS (")
	m.write(s, b.request.Method)
	s.put(") ")
	w := &statement{sqlBuilder: s, builder: b, root: root, answer: a}
	switch a.render {
	case renderCSV:
		out.Format = CSVRows
		root.writeSelect(s)
	case renderNDJSON:
		out.Format = NDJSONRows
		w.writeJSONRows(s)
	default:
		w.writtenBody(out, m)
	}
	if a.media.Name == request.Plan {
		out.Format = Explained
	}
	out.SQL, out.Args = s.String(), s.args
	return out
}

// writtenBody writes the one row of ColumnTotal … ColumnInserted.
func (w *statement) writtenBody(out *Write, m *mutation) {
	s, b, a, root := w.sqlBuilder, w.builder, &w.answer, w.root
	s.put("SELECT null::bigint AS total_result_set, pg_catalog.count(*) AS page_total, ")
	a.writeBody(s, nil)
	s.put(" AS body, ", responseSettings, ", ")
	if b.request.Method == "POST" && b.request.Prefer.Return == "headers-only" && len(m.relation.PrimaryKey) > 0 {
		out.Key = slices.Sorted(slices.Values(m.relation.PrimaryKey))
		writeLocation(s, out.Key)
	} else {
		s.put("null::json")
	}
	s.put(" AS location, ")
	if out.Upsert {
		s.put("nullif(current_setting('pgrst.inserted', true), '')::bigint")
	} else {
		s.put("null::bigint")
	}
	s.put(" AS inserted FROM (")
	if a.render == renderNothing {
		s.put("SELECT * FROM pgrst_source")
	} else {
		root.writeSelect(s)
	}
	s.put(") _postgrest_t")
}

// writeLocation puts the key of a single new row: a JSON array of texts.
func writeLocation(s *sqlBuilder, key []string) {
	s.put("CASE WHEN pg_catalog.count(*) = 1 THEN (SELECT json_build_array(")
	s.each(len(key), ", ", func(i int) { s.put("to_json(l.", QuoteIdent(key[i]), ") #>> '{}'") })
	s.put(") FROM pgrst_source l LIMIT 1) END")
}

func (m *mutation) write(s *sqlBuilder, method string) {
	table := QuoteName(m.relation.Name)
	switch method {
	case "POST", "PUT":
		m.writeInsert(s, table)
	case "PATCH":
		if len(m.columns) == 0 {
			m.writeNothing(s, table) // SET needs a column; an empty result has the right ones all the same
			return
		}
		m.writeUpdate(s, table)
	default:
		s.put("DELETE FROM ", table)
		m.writeWhere(s, table, " WHERE ")
	}
	m.writeReturning(s, table)
}

func (m *mutation) writeReturning(s *sqlBuilder, table string) {
	s.put(" RETURNING ")
	if len(m.returning) == 0 {
		s.put("1") // to be counted
		return
	}
	s.each(len(m.returning), ", ", func(i int) { s.put(quoteColumn(table, m.returning[i])) })
}

func (m *mutation) writeNothing(s *sqlBuilder, table string) {
	s.put("SELECT ")
	if len(m.returning) == 0 {
		s.put("NULL")
	}
	s.each(len(m.returning), ", ", func(i int) { s.put(quoteColumn(table, m.returning[i])) })
	s.put(" FROM ", table, " WHERE false")
}

func (m *mutation) writeWhere(s *sqlBuilder, table, sep string) {
	for i := range m.where {
		s.put(sep)
		m.where[i].write(s, table, false)
		sep = " AND "
	}
}
