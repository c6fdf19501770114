package openapi

import (
	"cmp"
	_ "embed"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// Document31 is the OpenAPI 3.1 description (https://spec.openapis.org/oas/v3.1.0), with schemas in JSON Schema
// 2020-12. Unlike the 2.0 one it offers only what a relation can do, and tells what is read from what is written.
func Document31(d Description) []byte {
	o := &document31{Description: &d, writer: writer{d.room(650)}, visible: make(map[string]*schema.Relation, len(d.Relations))}
	for _, r := range d.Relations {
		o.visible[r.Name.Name] = r
	}
	o.element(o.document)
	return o.buf
}

// document31 writes an OpenAPI 3.1 document.
type document31 struct {
	*Description
	writer
	visible map[string]*schema.Relation
}

func (o *document31) document() {
	o.field("openapi", "3.1.0")
	o.object("info", func() {
		title, description := summary(cmp.Or(o.Comment, "Slipstream API"))
		o.field("title", title)
		o.optional("description", description)
		o.field("version", o.Version)
	})
	o.array("servers", func() {
		o.element(func() { o.field("url", o.Server.url()) })
	})
	if o.SecurityActive {
		o.members(`"security":[{"JWT":[]}]`)
	}
	o.object("paths", o.paths)
	o.object("components", o.components)
	o.object("externalDocs", func() {
		o.field("description", "PostgREST Documentation")
		o.field("url", docsURL)
	})
}

// The parts that do not depend on the schema.
var (
	//go:embed parameters31.json
	parameters31 string
	//go:embed headers31.json
	headers31 string
	//go:embed responses31.json
	responses31 string
)

func (o *document31) components() {
	o.object("schemas", o.schemas)
	o.object("parameters", func() {
		o.members(inner(parameters31))
		if o.Profile {
			o.profile("acceptProfile", "Accept-Profile")
			o.profile("contentProfile", "Content-Profile")
		}
		for _, r := range o.Relations {
			o.filters(r)
		}
	})
	o.object("headers", func() { o.members(inner(headers31)) })
	o.object("responses", func() {
		o.members(inner(responses31))
		for _, r := range o.Relations {
			o.object(componentKey(r.Name.Name)+".rows", func() { o.rows(r) })
		}
		for name, overloads := range o.overloads() {
			o.object(resultKey(name), func() { o.result(overloads) })
		}
	})
	if o.SecurityActive {
		o.members(`"securitySchemes":{"JWT":{"type":"http","scheme":"bearer","bearerFormat":"JWT"}}`)
	}
}

// profile is the header that names the schema.
func (o *document31) profile(key, header string) {
	o.object(key, func() {
		o.field("name", header)
		o.members(`"in":"header","required":true`)
		o.object("schema", func() { o.field("const", o.Schema) })
	})
}

// componentKey makes a name one that components may have: letters, digits and underscores stay, any other byte becomes
// a hyphen and its two hexadecimal digits. The dot is left to tell the components of one relation apart.
func componentKey(name string) string {
	const hex = "0123456789ABCDEF"
	key := make([]byte, 0, len(name)+8)
	for i := range len(name) {
		c := name[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
			key = append(key, c)
		default:
			key = append(key, '-', hex[c>>4], hex[c&15])
		}
	}
	return string(key)
}

// resultKey names the component that is a function's answer. It has one dot more than any component of a relation.
func resultKey(function string) string { return "rpc." + componentKey(function) + ".result" }

func (o *document31) ref(kind, key string) { o.field("$ref", "#/components/"+kind+"/"+key) }

// refs adds references to the elements of an array.
func (o *document31) refs(kind string, keys ...string) {
	for _, k := range keys {
		o.element(func() { o.ref(kind, k) })
	}
}
