package plan

import (
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
}

// negotiate picks the first accepted media type that can be produced for target. The handlers of a relation's or
// function's own apply only to whole rows: when nothing but * is selected.
func (b *builder) negotiate(target schema.Name, wholeRows bool) (answer, error) {
	for _, m := range b.request.Accept {
		a, ok := b.produce(m, target, wholeRows)
		if ok {
			return a, nil
		}
	}
	names := make([]string, len(b.request.Accept))
	for i, m := range b.request.Accept {
		names[i] = m.String()
	}
	return answer{}, apierr.New("PGRST107", "None of these media types are available: "+strings.Join(names, ", "))
}

func (b *builder) produce(m request.MediaType, target schema.Name, wholeRows bool) (answer, bool) {
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
		return b.explained(m, target, wholeRows)
	}
	return b.handled(m, target, wholeRows)
}

// explained is the plan of what another media type would run.
func (b *builder) explained(m request.MediaType, target schema.Name, wholeRows bool) (answer, bool) {
	if !b.options.Explain {
		return answer{}, false
	}
	of := request.MediaType{Name: request.JSON}
	if m.Plan.For != nil {
		of = *m.Plan.For
	}
	a, ok := b.produce(of, target, wholeRows)
	a.media = m
	return a, ok && of.Name != request.Plan
}

func (b *builder) handled(m request.MediaType, target schema.Name, wholeRows bool) (answer, bool) {
	lookup := func(relation schema.Name, name string) (answer, bool) {
		h, ok := b.snapshot.MediaHandlers[schema.MediaHandlerKey{Relation: relation, MediaType: name}]
		if !ok {
			return answer{}, false
		}
		return answer{media: request.MediaType{Name: h.Resolved}, render: renderCustom, handler: h, target: relation}, true
	}
	if wholeRows {
		if a, ok := lookup(target, request.AnyType); ok {
			return a, true
		}
		if a, ok := lookup(target, m.Name); ok {
			return a, true
		}
	}
	if a, ok := lookup(schema.Name{}, m.Name); ok {
		return a, true
	}
	r, ok := builtin[m.Name]
	if m.Name == request.AnyType {
		m = request.MediaType{Name: request.JSON}
	}
	return answer{media: m, render: r}, ok
}

// writeBody puts the expression that renders the rows of _postgrest_t.
func (a *answer) writeBody(s *sqlBuilder, f *schema.Function) {
	rows := "_postgrest_t"
	single := false
	if f != nil {
		single = !f.Returns.Set
		if !f.Returns.Composite {
			rows = "_postgrest_t.pgrst_scalar"
		}
	}
	switch a.render {
	case renderArray:
		writeJSONAgg(s, rows, single, false)
	case renderStripped:
		writeJSONAgg(s, rows, single, true)
	case renderObject:
		writeJSONAgg(s, rows, true, false)
	case renderObjectStripped:
		writeJSONAgg(s, rows, true, true)
	case renderGeoJSON:
		s.put("json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))")
	case renderCustom:
		a.writeCustom(s, rows, f)
	default:
		s.put("''")
	}
}

// writeCustom puts the value of a handler of the database: an aggregate over the rows, or the result of the called
// function itself, which is of the media type already.
func (a *answer) writeCustom(s *sqlBuilder, rows string, f *schema.Function) {
	if !a.handler.Aggregate {
		s.put(rows)
		return
	}
	s.put(QuoteName(a.handler.Function), "(", rows)
	if a.target != (schema.Name{}) && (f == nil || f.Returns.Composite) {
		s.put("::", QuoteName(a.target))
	}
	s.put(")")
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
