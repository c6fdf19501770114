package openapi

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// Document2 is the OpenAPI 2.0 description, member for member as PostgREST v16 writes it.
func Document2(d Description) []byte {
	s := &swagger{Description: &d}
	s.element(s.document)
	return s.buf
}

// swagger writes an OpenAPI 2.0 document.
type swagger struct {
	*Description
	writer
}

const bodyTypes = `["application/json","application/vnd.pgrst.object+json;nulls=stripped","application/vnd.pgrst.object+json","text/csv"]`

func (s *swagger) document() {
	s.field("swagger", "2.0")
	s.object("info", func() {
		title, description := s.info()
		s.field("version", s.Version)
		s.field("title", title)
		s.field("description", description)
	})
	s.field("host", s.Server.address())
	s.field("basePath", s.Server.BasePath)
	s.strings("schemes", s.Server.Scheme)
	s.raw("consumes", bodyTypes)
	s.raw("produces", bodyTypes)
	s.object("paths", s.paths)
	if len(s.Relations) > 0 {
		s.object("definitions", s.definitions)
	}
	s.object("parameters", s.parameters)
	if s.SecurityActive {
		s.members(`"securityDefinitions":{"JWT":{"description":"Add the token prepending \"Bearer \" (without quotes) to it",` +
			`"type":"apiKey","name":"Authorization","in":"header"}},"security":[{"JWT":[]}]`)
	}
	s.object("externalDocs", func() {
		s.field("description", "PostgREST Documentation")
		s.field("url", docsURL)
	})
}

func (s *swagger) definitions() {
	for _, r := range s.Relations {
		s.object(r.Name.Name, func() { s.definition(r) })
	}
}

func (s *swagger) definition(r *schema.Relation) {
	var required []string
	for i := range r.Columns {
		if !r.Columns[i].Nullable {
			required = append(required, r.Columns[i].Name)
		}
	}
	if len(required) > 0 {
		s.strings("required", required...)
	}
	s.optional("description", r.Description)
	s.field("type", "object")
	keys := s.foreignKeys(r)
	s.object("properties", func() {
		for i := range r.Columns {
			c := &r.Columns[i]
			s.object(c.Name, func() { s.column(c, describe(r, c, keys[c.Name])) })
		}
	})
}

func (s *swagger) column(c *schema.Column, description string) {
	if value, ok := defaultValue(c); ok {
		s.raw("default", value)
	}
	if c.MaxLength > 0 {
		s.raw("maxLength", strconv.Itoa(c.MaxLength))
	}
	if len(c.Enum) > 0 {
		s.strings("enum", c.Enum...)
	}
	s.optional("description", description)
	s.typed(c.Type)
}

// typed writes a type where it is part of a schema.
func (s *swagger) typed(typ string) {
	s.field("format", format2(typ))
	s.optional("type", jsonType(typ))
	if element, array := strings.CutSuffix(typ, "[]"); array {
		s.object("items", func() { s.optional("type", jsonType(element)) })
	}
}

// format2 is the format of a type: PostgreSQL's name for it, except for integers.
func format2(typ string) string {
	switch typ {
	case "smallint", "integer":
		return "int32"
	case "bigint":
		return "int64"
	}
	return typ
}

// sharedParameters are those that do not depend on the schema.
//
//go:embed parameters2.json
var sharedParameters string

func (s *swagger) parameters() {
	s.members(inner(sharedParameters))
	for _, r := range s.Relations {
		name := r.Name.Name
		s.object("body."+name, func() {
			s.field("name", name)
			s.field("description", name)
			s.bool("required", false)
			s.field("in", "body")
			s.object("schema", func() { s.field("$ref", "#/definitions/"+name) })
		})
		for i := range r.Columns {
			s.filter(name, &r.Columns[i])
		}
	}
}

func (s *swagger) filter(relation string, c *schema.Column) {
	s.object("rowFilter."+relation+"."+c.Name, func() {
		s.field("name", c.Name)
		s.optional("description", c.Description)
		s.members(`"required":false,"in":"query","type":"string"`)
	})
}
