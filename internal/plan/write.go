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
	// Key are the columns of WrittenLocation; nil where no Location is asked for.
	Key []string
	// Upsert is true when the result tells how many rows were inserted, in WrittenInserted.
	Upsert bool
	// Arrays is true when the payload is bound as an array for each column.
	Arrays bool
}

// The columns of a Body result of a write. Their order is PostgREST's, whose users read it in EXPLAIN VERBOSE.
const (
	WrittenTotal    = iota // bigint or null: with tags in If-Match, the rows that the URL chooses, at most 2
	WrittenRows            // bigint: rows written
	WrittenLocation        // JSON array of texts, or null: the key of the one new row
	WrittenBody            // the body
	WrittenHeaders         // text or null: response.headers
	WrittenStatus          // text or null: response.status
	WrittenInserted        // bigint or null: rows inserted by an upsert
)

// NewWrite plans a write. Errors are *apierr.Error.
func NewWrite(snapshot *schema.Snapshot, r *request.Request, o Options) (*Write, error) {
	b := &builder{snapshot: snapshot, request: r, options: o}
	relation, err := Relation(snapshot, r)
	if err != nil {
		return nil, err
	}
	root := &node{name: r.Name, origin: r.Name, from: schema.Name{Name: "slip_source"}, relation: relation, guard: o.Guards.of(relation.Name)}
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
	shown := *root
	root.stored(a)
	switch r.Prefer.Return {
	case "representation":
		m.returns(root)
	case "headers-only":
		m.returns(root)
		a.render = renderNothing
	default:
		a.render = renderNothing
	}
	if err := b.matched(m, &shown, a); err != nil {
		return nil, err
	}
	return b.write(root, m, a)
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
	b.uncapped = true
	err := b.tree(root)
	b.request = whole
	return err
}

// mutation is the statement inside slip_source.
type mutation struct {
	relation  *schema.Relation
	method    string
	columns   []*schema.Column // of the payload
	where     []predicate      // which rows, on the relation; for PUT on the payload
	limited   *limitedRows     // how many of them; nil is all
	conflict  []string         // the columns of ON CONFLICT
	ignore    bool             // DO NOTHING
	counted   bool             // the inserted rows are to be counted
	match     *rowMatch        // If-Match; nil is any row
	present   bool             // a PUT that only updates
	absent    bool             // a PUT that only inserts
	returning []string
	defaults  bool // absent keys take the column's default instead of NULL
	array     bool // the payload is an array
	arrays    bool // the payload is bound as an array for each column
	parsers   map[[2]string]schema.Name
}

func (b *builder) mutation(root *node, relation *schema.Relation) (*mutation, error) {
	r := b.request
	m := &mutation{relation: relation, method: r.Method, parsers: b.snapshot.Representations}
	if r.Method != "POST" {
		m.where = b.rowFilters(relation)
	}
	if r.Method == "PATCH" || r.Method == "DELETE" {
		if err := m.limit(root, r.Window); err != nil {
			return nil, err
		}
		if err := m.guardWhole(root.guard); err != nil {
			return nil, err
		}
		if err := guardFilters(root.guard, relation, m.where); err != nil {
			return nil, err
		}
	}
	if r.Method == "DELETE" {
		return m, nil
	}
	if err := m.take(r); err != nil {
		return nil, err
	}
	m.defaults = r.Prefer.Missing == "default"
	switch r.Method {
	case "POST":
		m.upsert(r)
		m.arrays = r.Payload.Columnar && m.fitsArrays()
	case "PUT":
		m.counted, m.conflict, m.defaults = true, relation.PrimaryKey, false
		return m, m.checkPut(r)
	}
	return m, nil
}

// rowFilters are the filters of the top level: they choose the rows to write.
func (b *builder) rowFilters(relation *schema.Relation) []predicate {
	var where []predicate
	target := &node{relation: relation}
	for i := range b.request.Query.Logic {
		if l := &b.request.Query.Logic[i]; len(l.Path) == 0 {
			where = append(where, b.predicate(target, &l.Logic))
		}
	}
	for i := range b.request.Query.Filters {
		if f := &b.request.Query.Filters[i]; len(f.Path) == 0 {
			where = append(where, b.leaf(target, &f.Condition))
		}
	}
	return where
}

// returns has the statement return what the tree needs of the rows, and their key.
func (m *mutation) returns(root *node) {
	m.returning = root.neededColumns()
	if !slices.Contains(m.returning, "*") {
		m.returning = slices.Compact(slices.Sorted(slices.Values(append(m.returning, m.relation.PrimaryKey...))))
	}
}

// key gives the columns of the primary key in the order in which the rows have them.
func (m *mutation) key() []string {
	if !slices.Contains(m.returning, "*") {
		return slices.Sorted(slices.Values(m.relation.PrimaryKey))
	}
	var key []string
	for i := range m.relation.Columns {
		if name := m.relation.Columns[i].Name; slices.Contains(m.relation.PrimaryKey, name) {
			key = append(key, name)
		}
	}
	return key
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
		exact = exact && len(f.Path) == 0 && f.Operator == request.Eq && !f.Not && f.Quantifier == request.NoQuantifier && len(f.Column.Path) == 0
		named = append(named, f.Column.Name)
	}
	slices.Sort(named)
	if !exact || !slices.Equal(slices.Compact(named), slices.Sorted(slices.Values(key))) {
		return apierr.New("PGRST105", "Filters must include all and only primary key columns with 'eq' operators")
	}
	for _, name := range key {
		if !slices.Contains(r.Payload.Columns, name) {
			return NotThatRow()
		}
	}
	return nil
}

// NotThatRow is the answer to a PUT whose payload has another key than the URL, or none.
func NotThatRow() error {
	return apierr.New("PGRST115", "Payload values do not match URL in primary key column(s)")
}

// write assembles the statement.
func (b *builder) write(root *node, m *mutation, a answer) (*Write, error) {
	r := b.request
	out := &Write{Relation: m.relation, Arrays: m.arrays, Upsert: r.Method == "PUT" || r.Method == "POST" && r.Prefer.Resolution == "merge-duplicates"}
	out.Media, out.Renames, out.Settings = a.media, b.renames, root.settings()
	if r.Method == "POST" && r.Prefer.Return == "headers-only" {
		out.Key = m.key()
	}
	s := &sqlBuilder{}
	if a.media.Name == request.Plan {
		writeExplain(s, a.media.Plan)
	}
	s.put("WITH slip_source AS (")
	m.write(s)
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
	return out, s.check()
}

// writtenBody writes the one row of WrittenTotal … WrittenInserted.
func (w *statement) writtenBody(out *Write, m *mutation) {
	w.put("SELECT ")
	m.writeChosen(w.sqlBuilder)
	w.put(" AS total, pg_catalog.count(*) AS rows, ")
	writeLocation(w.sqlBuilder, out.Key)
	w.put(" AS header, ")
	w.answer.writeBody(w.sqlBuilder, nil)
	w.put(" AS body, ", responseSettings, ", ")
	if out.Upsert {
		w.put("nullif(current_setting('slipstream.inserted', true), '')::bigint")
	} else {
		w.put("null::bigint")
	}
	w.put(" AS response_inserted FROM (")
	if w.answer.render == renderNothing {
		w.put("SELECT * FROM slip_source")
	} else {
		w.root.writeSelect(w.sqlBuilder)
	}
	w.put(") slip_page")
}

// writeLocation puts the key of a single new row: a JSON array of texts.
func writeLocation(s *sqlBuilder, key []string) {
	if len(key) == 0 {
		s.put("null::json")
		return
	}
	s.put("CASE WHEN pg_catalog.count(*) = 1 THEN (SELECT json_build_array(")
	s.each(len(key), ", ", func(i int) { s.put("to_json(l.", QuoteIdent(key[i]), ") #>> '{}'") })
	s.put(") FROM slip_source l LIMIT 1) END")
}
