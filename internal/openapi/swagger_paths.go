package openapi

import (
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

func (s *swagger) paths() {
	s.members(`"/":{"get":{"tags":["Introspection"],"summary":"OpenAPI description (this document)",` +
		`"produces":["application/openapi+json","application/json"],"responses":{"200":{"description":"OK"}}}}`)
	for _, r := range s.Relations {
		s.object("/"+r.Name.Name, func() { s.relation(r) })
	}
	for name, overloads := range s.overloads() {
		// A path has room for one: PostgREST keeps the last, which has the most parameters.
		f := overloads[len(overloads)-1]
		s.object("/rpc/"+name, func() { s.function(f) })
	}
}

// relation writes all of the methods that change rows when any of them is possible, as PostgREST does.
func (s *swagger) relation(r *schema.Relation) {
	name := r.Name.Name
	filters := make([]string, len(r.Columns))
	for i := range r.Columns {
		filters[i] = "rowFilter." + name + "." + r.Columns[i].Name
	}
	s.operation(r, "get", filters, []string{"select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"}, func() {
		s.object("200", func() {
			s.field("description", "OK")
			s.object("schema", func() {
				s.field("type", "array")
				s.object("items", func() { s.field("$ref", "#/definitions/"+name) })
			})
		})
		s.response("206", "Partial Content")
	})
	if !r.Insertable && !r.Updatable && !r.Deletable {
		return
	}
	s.operation(r, "post", nil, []string{"body." + name, "select", "preferPost"}, func() { s.response("201", "Created") })
	s.operation(r, "delete", filters, []string{"preferReturn"}, func() { s.response("204", "No Content") })
	s.operation(r, "patch", filters, []string{"body." + name, "preferReturn"}, func() { s.response("204", "No Content") })
}

func (s *swagger) operation(r *schema.Relation, method string, filters, parameters []string, responses func()) {
	s.object(method, func() {
		s.heading(r.Name.Name, r.Description)
		s.array("parameters", func() {
			s.references(filters)
			s.references(parameters)
		})
		s.object("responses", responses)
	})
}

func (s *swagger) references(parameters []string) {
	for _, p := range parameters {
		s.element(func() { s.field("$ref", "#/parameters/"+p) })
	}
}

func (s *swagger) response(status, description string) {
	s.object(status, func() { s.field("description", description) })
}

func (s *swagger) function(f *schema.Function) {
	if f.Volatility != schema.Volatile {
		s.call("get", f, func() {
			for i := range f.Params {
				s.element(func() { s.argument(&f.Params[i]) })
			}
		})
	}
	s.call("post", f, func() {
		s.element(func() {
			s.field("name", "args")
			s.bool("required", true)
			s.field("in", "body")
			s.object("schema", func() { s.arguments(f) })
		})
		s.references([]string{"preferParams"})
	})
}

const callTypes = `["application/json","application/vnd.pgrst.object+json;nulls=stripped","application/vnd.pgrst.object+json"]`

func (s *swagger) call(method string, f *schema.Function, parameters func()) {
	s.object(method, func() {
		s.heading("(rpc) "+f.Name.Name, f.Description)
		s.raw("produces", callTypes)
		if method == "post" || len(f.Params) > 0 {
			s.array("parameters", parameters)
		}
		s.object("responses", func() { s.response("200", "OK") })
	})
}

// argument is a parameter of the query string, where an array is text such as {1,2}, and json is text too.
func (s *swagger) argument(p *schema.Param) {
	typ := s.paramType(p)
	s.field("name", p.Name)
	s.bool("required", p.Required)
	s.field("in", "query")
	if p.Variadic {
		s.variadic(typ)
		return
	}
	s.field("format", format2(typ))
	switch t := jsonType(typ); t {
	case "", "array":
		s.field("type", "string")
	default:
		s.field("type", t)
	}
}

// variadic is an argument that is given as often as there are values.
func (s *swagger) variadic(typ string) {
	element := strings.TrimSuffix(typ, "[]")
	s.field("type", "array")
	s.object("items", func() {
		s.field("format", format2(element))
		s.optional("type", jsonType(element))
	})
	s.field("collectionFormat", "multi")
}

// arguments is the object that a call's body is.
func (s *swagger) arguments(f *schema.Function) {
	var required []string
	for _, p := range f.Params {
		if p.Required {
			required = append(required, p.Name)
		}
	}
	if len(required) > 0 {
		s.strings("required", required...)
	}
	s.optional("description", f.Description)
	s.field("type", "object")
	if len(f.Params) > 0 {
		s.object("properties", func() {
			for i := range f.Params {
				s.object(f.Params[i].Name, func() { s.typed(s.paramType(&f.Params[i])) })
			}
		})
	}
}
