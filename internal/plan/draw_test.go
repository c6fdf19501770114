package plan_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// oddNames are names that SQL and the grammar could stumble over, and those that plans use themselves.
var oddNames = []string{
	`a"b`, `a\b`, "a'b", "a;--", "a.b", "a,b)", "é", "日本語", "🙂", "select", "$1", "*",
	"slip_page", "slip_source", "slip_call", "pgrst_scalar", "pgrst_order_1", "q", "p", "u", "x", "r", "k", "n", "c", "o1", "present", "row",
	"films_1", "directors_films_1", "films_directors_1", "q_x_1", "x_1",
	strings.Repeat("long", 30), strings.Repeat("é", 40), "a\x00b",
}

// secret is a key of JSON paths that must not be seen in SQL either, though it belongs to the shape.
const secret = "sEcReT"

// drawer draws a request piece by piece, as text. value makes the client's values, which are no choices of rapid's.
type drawer struct {
	*rapid.T
	snapshot *schema.Snapshot
	value    func() string
	paths    []embedPath
	params   []string
}

// embedPath is a level of the request with the relation of its rows.
type embedPath struct {
	prefix   string
	relation *schema.Relation
}

func (d *drawer) chance(label string, percent int) bool {
	return rapid.IntRange(1, 100).Draw(d.T, label) <= percent
}

func pick[V any](d *drawer, label string, from []V) V {
	return rapid.SampledFrom(from).Draw(d.T, label)
}

func (d *drawer) put(key, value string) {
	d.params = append(d.params, url.QueryEscape(key)+"="+url.QueryEscape(value))
}

// quoted is a name as the grammar takes any.
func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", "").Replace(name) + `"`
}

func (d *drawer) oddName() string { return quoted(pick(d, "odd", oddNames)) }

// column draws a column that there is, mostly. PostgreSQL tells of the first error only, so that requests with few of
// them find out more.
func (d *drawer) column(r *schema.Relation) schema.Column {
	if r == nil || d.chance("odd column", 1) {
		return schema.Column{Name: pick(d, "odd", oddNames)}
	}
	return r.Columns[rapid.IntRange(0, len(r.Columns)-1).Draw(d.T, "column")]
}

func isJSON(c schema.Column) bool { return c.Type == "json" || c.Type == "jsonb" }

// jsonPath is a path of keys. The last key of a selected path is seen: it names the column.
func (d *drawer) jsonPath(seen bool) string {
	out := ""
	for range rapid.IntRange(0, 2).Draw(d.T, "steps") {
		key := "key"
		switch {
		case d.chance("index", 30):
			key = "1"
		case !seen:
			key = secret
		}
		out += pick(d, "arrow", []string{"->", "->>"}) + key
	}
	return out
}

func (d *drawer) field(r *schema.Relation) string {
	out := ""
	if d.chance("alias", 30) {
		out = d.oddName() + ":"
	}
	if d.chance("count", 5) {
		return out + "count()"
	}
	c := d.column(r)
	out += quoted(c.Name)
	if isJSON(c) && d.chance("path", 60) {
		out += d.jsonPath(true)
	}
	if d.chance("cast", 15) {
		out += pick(d, "type", []string{"::text", "::character varying"})
	}
	if d.chance("aggregate", 8) {
		out += pick(d, "function", []string{".count()", ".count()::text"})
	}
	return out
}

// selection draws one level of select=, and notes the levels below.
func (d *drawer) selection(at embedPath, depth int) string {
	d.paths = append(d.paths, at)
	var items []string
	for range rapid.IntRange(0, 3).Draw(d.T, "fields") {
		if len(items) == 0 && d.chance("star", 20) {
			items = append(items, "*")
			continue
		}
		items = append(items, d.field(at.relation))
	}
	for range rapid.IntRange(0, depth).Draw(d.T, "embeds") {
		if at.relation != nil {
			items = append(items, d.embed(at, depth))
		}
	}
	return strings.Join(items, ",")
}

func (d *drawer) embed(at embedPath, depth int) string {
	name := schema.Name{Schema: "api", Name: at.relation.Name.Name}
	rels := d.snapshot.RelationshipsFrom(name, "api")
	if len(rels) == 0 {
		return "*"
	}
	rel := rels[rapid.IntRange(0, len(rels)-1).Draw(d.T, "relationship")]
	target, out, shown := rel.Target.Name, "", ""
	if rel.Function != nil {
		target = rel.Function.Name
	}
	switch shown = quoted(target); {
	case d.chance("spread", 25):
		out = "..."
	case d.chance("embed alias", 60):
		shown = d.oddName()
		out = shown + ":"
	}
	out += quoted(target)
	if rel.Constraint != "" && d.chance("hint", 70) {
		out += "!" + quoted(rel.Constraint)
	}
	if d.chance("join", 40) {
		out += pick(d, "join", []string{"!inner", "!left"})
	}
	below := embedPath{at.prefix + shown + ".", d.snapshot.Relations[rel.Target]}
	return out + "(" + d.selection(below, depth-1) + ")"
}

// operators that types have.
var operators = map[string][]string{
	"text": {
		"like.", "ilike.", "match.", "imatch.", "like(any).", "ilike(all).", "match(any).", "not.imatch(all).", "fts.", "plfts.", "not.phfts.", "wfts.",
	},
	"text[]":    {"cs.", "cd.", "ov.", "not.ov."},
	"jsonb":     {"cs.", "cd.", "fts."},
	"tsvector":  {"fts.", "wfts."},
	"daterange": {"sl.", "sr.", "nxr.", "nxl.", "adj.", "ov."},
	"boolean":   {"is.true&", "not.is.unknown&"},
}

func (d *drawer) operation(typ string) string {
	switch rapid.IntRange(0, 9).Draw(d.T, "operation") {
	case 0:
		return pick(d, "is", []string{"is.null", "not.is.null", "is.not_null"})
	case 1:
		return "in.(" + d.value() + ",\"" + d.value() + "\")"
	case 2, 3, 4:
		if own := operators[typ]; own != nil {
			operator, bare := strings.CutSuffix(pick(d, "operator", own), "&")
			switch {
			case bare:
				return operator
			case strings.HasSuffix(operator, "fts.") && d.chance("language", 50):
				return strings.TrimSuffix(operator, ".") + "(" + d.value() + ")." + d.value()
			}
			return operator + d.value()
		}
	}
	return pick(d, "comparison", []string{"eq.", "neq.", "gt.", "gte.", "lt.", "lte.", "isdistinct.", "eq(any).", "not.lt(all).", "not.eq."}) + d.value()
}

// condition is a column with its path, and an operation, or a test of an embed.
func (d *drawer) condition(at embedPath) (key, operation string) {
	var below []string
	for _, p := range d.paths {
		if name, ok := strings.CutPrefix(p.prefix, at.prefix); ok && name != "" && !strings.Contains(name[:len(name)-1], `".`) {
			below = append(below, strings.TrimSuffix(name, "."))
		}
	}
	if len(below) > 0 && d.chance("test of embed", 30) {
		return pick(d, "embed", below), pick(d, "is", []string{"is.null", "not.is.null", "is.not_null"})
	}
	c := d.column(at.relation)
	key = quoted(c.Name)
	if isJSON(c) {
		key += d.jsonPath(false)
	}
	return key, d.operation(c.Type)
}

func (d *drawer) logic(at embedPath, depth int) string {
	var members []string
	for range rapid.IntRange(1, 3).Draw(d.T, "members") {
		if depth > 0 && d.chance("tree", 30) {
			members = append(members, pick(d, "connective", []string{"and", "or", "not.or"})+d.logic(at, depth-1))
			continue
		}
		key, operation := d.condition(at)
		members = append(members, key+"."+operation)
	}
	return "(" + strings.Join(members, ",") + ")"
}

func (d *drawer) order(at embedPath) string {
	var terms []string
	for range rapid.IntRange(1, 2).Draw(d.T, "terms") {
		c := d.column(at.relation)
		term := quoted(c.Name)
		if isJSON(c) {
			term += d.jsonPath(false)
		}
		terms = append(terms, term+pick(d, "direction", []string{"", ".asc", ".desc.nullslast", ".nullsfirst"}))
	}
	return strings.Join(terms, ",")
}

// query draws what may follow the question mark, and needs a level to begin with.
func (d *drawer) query(root embedPath) {
	if d.chance("select", 90) {
		d.put("select", d.selection(root, 3))
	} else {
		d.paths = append(d.paths, root)
	}
	for range rapid.IntRange(0, 3).Draw(d.T, "filters") {
		at := pick(d, "level", d.paths)
		key, operation := d.condition(at)
		d.put(at.prefix+key, operation)
	}
	if d.chance("logic", 40) {
		at := pick(d, "level", d.paths)
		d.put(at.prefix+pick(d, "connective", []string{"and", "or", "not.and"}), d.logic(at, 2))
	}
	if d.chance("order", 40) {
		at := pick(d, "level", d.paths)
		d.put(at.prefix+"order", d.order(at))
	}
	if d.chance("window", 40) {
		at := pick(d, "level", d.paths)
		d.put(at.prefix+"limit", "918273")
		d.put(at.prefix+"offset", "918274")
	}
}

// drawn is a request line with headers.
type drawn struct {
	method, target string
	header         http.Header
}

func (r drawn) String() string { return fmt.Sprint(r.method, " ", r.target, " ", r.header) }

// drawRequest draws a request of the snapshot. Two draws that make the same choices differ in their values only.
func drawRequest(t *rapid.T, s *schema.Snapshot, value func() string) drawn {
	d := &drawer{T: t, snapshot: s, value: value}
	out := drawn{method: pick(d, "method", []string{"GET", "GET", "HEAD"}), header: http.Header{}}
	if d.chance("function", 20) {
		f := pick(d, "function", drawable(s))
		for _, p := range f.Params {
			if p.Required || d.chance("argument", 50) {
				d.put(quoted(p.Name), value())
			}
		}
		d.query(embedPath{relation: s.Relations[f.Returns.Type]})
		out.target = "/rpc/" + f.Name.Name
	} else {
		r := pick(d, "relation", relations(s))
		d.query(embedPath{relation: r})
		out.target = "/" + r.Name.Name
	}
	out.target += "?" + strings.Join(d.params, "&")
	if d.chance("accept", 30) {
		out.header.Set("Accept", pick(d, "media type", []string{
			request.CSV, request.NDJSON, request.Object, request.Array + ";nulls=stripped", request.Plan + "+json", request.GeoJSON, "text/any",
		}))
	}
	if d.chance("prefer", 30) {
		out.header.Set("Prefer", pick(d, "preference", []string{"count=exact", "count=planned", "count=estimated", "pagination=cursor"}))
	}
	return out
}

func relations(s *schema.Snapshot) []*schema.Relation {
	var out []*schema.Relation
	for name, r := range s.Relations {
		if name.Schema == "api" {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *schema.Relation) int { return strings.Compare(a.Name.Name, b.Name.Name) })
	return out
}

func drawable(s *schema.Snapshot) []*schema.Function {
	var out []*schema.Function
	for name, overloads := range s.Functions {
		for _, f := range overloads {
			if name.Schema == "api" && (f.Returns.Table != "" || len(f.Params) == 0) {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b *schema.Function) int { return int(a.OID) - int(b.OID) })
	return out
}
