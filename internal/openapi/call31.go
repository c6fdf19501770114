package openapi

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// function writes one path for all functions of a name.
func (o *document31) function(name string, overloads []*schema.Function) {
	var readers []*schema.Function
	for _, f := range overloads {
		if f.Volatility != schema.Volatile {
			readers = append(readers, f)
		}
	}
	if len(readers) > 0 {
		o.call("get", name, readers, func() {
			arguments := o.arguments(readers)
			o.resultParameters(readers, arguments)
			o.refs("parameters", "range", "rangeUnit", "preferCall")
		})
	}
	o.call("post", name, overloads, func() {
		o.resultParameters(overloads, nil)
		o.refs("parameters", "preferCall")
	})
}

func (o *document31) call(method, name string, overloads []*schema.Function, parameters func()) {
	o.object(method, func() {
		o.field("operationId", "rpc."+componentKey(name)+"."+method)
		o.heading("(rpc) "+name, overloads[0].Description)
		o.parameters(method, parameters)
		if method == "post" {
			o.callBody(overloads)
		}
		o.responses(func() {
			if slices.ContainsFunc(overloads, func(f *schema.Function) bool { return !f.Returns.Void }) {
				o.object("200", func() { o.ref("responses", resultKey(name)) })
			}
			if slices.ContainsFunc(overloads, func(f *schema.Function) bool { return f.Returns.Set }) {
				o.object("206", func() {
					o.ref("responses", resultKey(name))
					o.field("description", "Partial Content")
				})
			}
			if slices.ContainsFunc(overloads, func(f *schema.Function) bool { return f.Returns.Void }) {
				o.empty()
			}
		})
	})
}

// arguments writes the named parameters of all overloads as query parameters, and returns their names. Only what every
// overload requires is required.
func (o *document31) arguments(overloads []*schema.Function) []string {
	var names []string
	for _, f := range overloads {
		for i := range f.Params {
			p := &f.Params[i]
			if p.Name == "" || reserved(p.Name) || slices.Contains(names, p.Name) {
				continue
			}
			names = append(names, p.Name)
			o.element(func() {
				o.field("name", p.Name)
				o.field("in", "query")
				if requiredByAll(overloads, p.Name) {
					o.bool("required", true)
				}
				o.object("schema", func() { o.argument(p) })
			})
		}
	}
	return names
}

func requiredByAll(overloads []*schema.Function, name string) bool {
	for _, f := range overloads {
		if !slices.ContainsFunc(f.Params, func(p schema.Param) bool { return p.Name == name && p.Required }) {
			return false
		}
	}
	return true
}

// argument is a value in the query string, where json is text and so is an array, such as {1,2}.
func (o *document31) argument(p *schema.Param) {
	switch {
	case p.Variadic:
		o.typed(p.Type, p.Enum, false)
	case strings.HasSuffix(p.Type, "[]"):
		o.field("type", "string")
		o.field("format", p.Type)
	case p.Type == "json" || p.Type == "jsonb":
		o.field("type", "string")
		o.field("contentMediaType", "application/json")
	default:
		o.typed(p.Type, p.Enum, false)
	}
}

// resultParameters are those that choose and order the rows a function returns.
func (o *document31) resultParameters(overloads []*schema.Function, arguments []string) {
	for _, f := range overloads {
		if !f.Returns.Composite {
			continue
		}
		if r := o.returned(f); r != nil {
			o.refs("parameters", filterKeys(r, arguments)...)
		}
		o.refs("parameters", reading...)
		return
	}
}

// returned is the relation that a function returns rows of, if the document has it.
func (o *document31) returned(f *schema.Function) *schema.Relation {
	if f.Returns.Table == "" || f.Returns.Type.Schema != o.Schema {
		return nil
	}
	return o.visible[f.Returns.Table]
}

// result is the answer of all functions of a name.
func (o *document31) result(overloads []*schema.Function) {
	o.field("description", "OK")
	o.headers("Content-Range", "Preference-Applied")
	if !slices.ContainsFunc(overloads, func(f *schema.Function) bool { return !f.Returns.Void }) {
		return
	}
	o.object("content", func() {
		o.media("application/json", func() {
			o.anyOf(overloads, func(f *schema.Function) bool { return !f.Returns.Void }, o.value)
		})
	})
}

// value is what a function returns, as JSON.
func (o *document31) value(f *schema.Function) {
	one := func() {
		switch r := o.returned(f); {
		case r != nil:
			o.ref("schemas", componentKey(r.Name.Name))
		case f.Returns.Composite:
			o.composite(f.Returns.Columns)
		default:
			o.typed(typeName(f.Returns.Type), nil, true)
		}
	}
	if f.Returns.Set {
		o.list(one)
		return
	}
	one()
}

// composite is a row whose columns are known where the function declares them.
func (o *document31) composite(columns []schema.Param) {
	o.field("type", "object")
	if len(columns) > 0 {
		o.object("properties", func() {
			for _, c := range columns {
				o.object(c.Name, func() { o.typed(c.Type, c.Enum, true) })
			}
		})
	}
}

// anyOf writes one schema for those overloads that qualify: theirs if they agree, else a choice.
func (o *document31) anyOf(overloads []*schema.Function, qualifies func(*schema.Function) bool, write func(*schema.Function)) {
	var variants []string
	for _, f := range overloads {
		if !qualifies(f) {
			continue
		}
		before := len(o.buf)
		write(f)
		// The comma rule looks at the byte before: every variant begins after the same one.
		if v := string(o.buf[before:]); !slices.Contains(variants, v) {
			variants = append(variants, v)
		}
		o.buf = o.buf[:before]
	}
	if len(variants) == 1 {
		o.members(variants[0])
		return
	}
	o.array("anyOf", func() {
		for _, v := range variants {
			o.element(func() { o.members(v) })
		}
	})
}

// callBody is an object of named arguments, or the sole unnamed argument itself in a media type of its own.
func (o *document31) callBody(overloads []*schema.Function) {
	var object []*schema.Function
	unnamed := make(map[string]string)
	required := true
	for _, f := range overloads {
		if len(f.Params) == 1 && f.Params[0].Name == "" {
			media, typ := bodyMedia(f.Params[0].Type)
			unnamed[media] = typ
		} else {
			object = append(object, f)
		}
		required = required && slices.ContainsFunc(f.Params, func(p schema.Param) bool { return p.Required })
	}
	o.object("requestBody", func() {
		o.bool("required", required)
		o.object("content", func() {
			if len(object) > 0 {
				o.media("application/json", func() {
					o.anyOf(object, func(*schema.Function) bool { return true }, o.argumentObject)
				})
				delete(unnamed, "application/json") // PostgREST prefers named arguments that match
			}
			for _, media := range []string{"application/json", "text/plain", "text/xml", "application/octet-stream"} {
				if typ, ok := unnamed[media]; ok {
					o.media(media, func() { o.optional("type", typ) })
				}
			}
		})
	})
}

// bodyMedia is the media type of a body that is one argument, and its JSON type.
func bodyMedia(typ string) (media, jsonType string) {
	switch typ {
	case "text":
		return "text/plain", "string"
	case "xml":
		return "text/xml", "string"
	case "bytea":
		return "application/octet-stream", ""
	}
	return "application/json", ""
}

func (o *document31) argumentObject(f *schema.Function) {
	o.field("type", "object")
	var required []string
	if len(f.Params) > 0 {
		o.object("properties", func() {
			for i := range f.Params {
				p := &f.Params[i]
				if p.Required {
					required = append(required, p.Name)
				}
				o.object(p.Name, func() { o.typed(p.Type, p.Enum, true) })
			}
		})
	}
	if len(required) > 0 {
		o.strings("required", required...)
	}
}

// typeName is format_type's name for a type that is known by its name in pg_type.
func typeName(n schema.Name) string {
	if n.Schema != "pg_catalog" {
		return n.Schema + "." + n.Name
	}
	if element, array := strings.CutPrefix(n.Name, "_"); array {
		return typeName(schema.Name{Schema: n.Schema, Name: element}) + "[]"
	}
	switch n.Name {
	case "bool":
		return "boolean"
	case "int2":
		return "smallint"
	case "int4":
		return "integer"
	case "int8":
		return "bigint"
	case "float4":
		return "real"
	case "float8":
		return "double precision"
	case "varchar":
		return "character varying"
	case "bpchar":
		return "character"
	case "timestamptz":
		return "timestamp with time zone"
	case "timestamp":
		return "timestamp without time zone"
	}
	return n.Name
}
