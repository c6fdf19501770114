package plan

import (
	"cmp"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// render is how the rows become a body.
type render int

const (
	renderArray    render = iota // [{…}, {…}]
	renderStripped               // the same without nulls
	renderObject                 // {…}
	renderObjectStripped
	renderGeoJSON
	renderCSV
	renderNDJSON
	renderCustom // by the database's own handler
	renderNothing
)

// builtin are the renderings that need no handler in the database; one there overrides them.
var builtin = map[string]render{
	request.JSON:    renderArray,
	request.CSV:     renderCSV,
	request.GeoJSON: renderGeoJSON,
	request.NDJSON:  renderNDJSON,
	request.AnyType: renderArray,
}

// answer is the negotiated form of the answer.
type answer struct {
	media   request.MediaType
	render  render
	handler schema.MediaHandler
	// target is the relation or function that handler is for; zero for one that takes any element.
	target schema.Name
	// row is the expression for a row of the page, pageRow when empty.
	row string
}

// negotiate picks the first accepted media type that can be produced for target. The handlers of a relation's or
// function's own apply only to whole rows: when nothing but * is selected.
func (b *builder) negotiate(target schema.Name) (answer, error) {
	n := &negotiation{b, target, wholeRows(&b.request.Query.Select)}
	for _, m := range b.request.Accept {
		a, ok := n.produce(m)
		if !ok {
			continue
		}
		if b.request.Method == "HEAD" && a.media.Name != request.Plan && a.media.Name != request.Object { // its ETag needs it
			a.render = renderNothing
		}
		return a, nil
	}
	names := make([]string, len(b.request.Accept))
	for i, m := range b.request.Accept {
		names[i] = m.String()
	}
	return answer{}, apierr.New("PGRST107", "None of these media types are available: "+strings.Join(names, ", "))
}

func wholeRows(s *request.Select) bool {
	return len(s.Embeds) == 0 && len(s.Fields) == 1 && s.Fields[0].Name == "*"
}

// negotiation is what media types can be produced for.
type negotiation struct {
	*builder
	target    schema.Name
	wholeRows bool
}

func (n *negotiation) produce(m request.MediaType) (answer, bool) {
	switch m.Name {
	case request.Object:
		if m.NullsStripped {
			return answer{media: m, render: renderObjectStripped}, true
		}
		return answer{media: m, render: renderObject}, true
	case request.Array:
		if m.NullsStripped {
			return answer{media: m, render: renderStripped}, true
		}
		return answer{media: request.MediaType{Name: request.JSON}, render: renderArray}, true
	case request.Plan:
		return n.explained(m)
	}
	return n.handled(m)
}

// explained is the plan of what another media type would run.
func (n *negotiation) explained(m request.MediaType) (answer, bool) {
	if !n.options.Explain {
		return answer{}, false
	}
	of := request.MediaType{Name: request.JSON}
	if m.Plan.For != nil {
		of = *m.Plan.For
	}
	a, ok := n.produce(of)
	a.media = m
	return a, ok && of.Name != request.Plan
}

// handled looks for the target's handler of all types, of this type, then for a general one.
func (n *negotiation) handled(m request.MediaType) (answer, bool) {
	keys := []schema.MediaHandlerKey{{Relation: n.target, MediaType: request.AnyType}, {Relation: n.target, MediaType: m.Name}, {MediaType: m.Name}}
	if !n.wholeRows {
		keys = keys[2:]
	}
	for _, k := range keys {
		if h, ok := n.snapshot.MediaHandlers[k]; ok {
			return answer{media: request.MediaType{Name: h.Resolved}, render: renderCustom, handler: h, target: k.Relation}, true
		}
	}
	r, ok := builtin[m.Name]
	if m.Name == request.AnyType {
		m = request.MediaType{Name: request.JSON}
	}
	return answer{media: m, render: r}, ok
}

// The rows of the page, as expressions over the sub-query slip_page.
const (
	pageRow    = "slip_page.*"
	pageScalar = "slip_page.pgrst_scalar"
)

// writeBody puts the expression that renders the rows of slip_page. f is nil for a relation.
func (a *answer) writeBody(s *sqlBuilder, f *schema.Function) {
	single, scalar := f != nil && !f.Returns.Set, f != nil && !f.Returns.Composite
	row := cmp.Or(a.row, pageRow)
	element, elements := row, row // the one, or all of them
	if scalar {
		elements = pageScalar
	}
	if scalar && single {
		element = pageScalar // a set's element is a row with one column, as in PostgREST
	}
	switch a.render {
	case renderArray:
		writeJSONAgg(s, elements, single, false)
	case renderStripped:
		writeJSONAgg(s, elements, single, true)
	case renderObject:
		writeJSONAgg(s, element, true, false)
	case renderObjectStripped:
		writeJSONAgg(s, element, true, true)
	case renderGeoJSON:
		s.put("json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(ST_AsGeoJSON(", pageRow, ")::json), '[]'))")
	case renderCustom:
		a.writeCustom(s, element)
	default:
		s.put("''")
	}
}

// writeCustom puts the value of a handler of the database: an aggregate over the rows, or the result of the called
// function itself, which is of the media type already.
func (a *answer) writeCustom(s *sqlBuilder, element string) {
	switch {
	case !a.handler.Aggregate:
		s.put(element)
	case element == pageScalar || a.target == schema.Name{}:
		s.put(QuoteName(a.handler.Function), "(", element, ")")
	default:
		s.put(QuoteName(a.handler.Function), "((", element, ")::", QuoteName(a.target), ")")
	}
}

func writeJSONAgg(s *sqlBuilder, rows string, first, stripped bool) {
	s.put("coalesce(")
	if stripped {
		s.put("json_strip_nulls(")
	}
	s.put("json_agg(", rows, ")")
	if first {
		s.put("->0")
	}
	if stripped {
		s.put(")")
	}
	if first {
		s.put(", 'null')")
	} else {
		s.put(", '[]')")
	}
}

// writeExplain puts EXPLAIN with the asked options in front of a statement.
func writeExplain(s *sqlBuilder, o *request.PlanOptions) {
	s.put("EXPLAIN (FORMAT ")
	if o.JSON {
		s.put("JSON")
	} else {
		s.put("TEXT")
	}
	for _, opt := range []struct {
		on   bool
		name string
	}{{o.Analyze, "ANALYZE"}, {o.Verbose, "VERBOSE"}, {o.Settings, "SETTINGS"}, {o.Buffers, "BUFFERS"}, {o.Wal, "WAL"}} {
		if opt.on {
			s.put(", ", opt.name)
		}
	}
	s.put(") ")
}
