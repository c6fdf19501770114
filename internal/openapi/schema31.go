package openapi

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// schemas has up to three for every relation: the row that is read (films), the one that is inserted (films.insert),
// and what an update sets (films.update).
func (o *document31) schemas() {
	for _, r := range o.Relations {
		key, foreign := componentKey(r.Name.Name), o.foreignKeys(r)
		o.object(key, func() {
			o.row(r, foreign, func(*schema.Column) bool { return true }, func(*schema.Column) bool { return true })
		})
		if r.Insertable {
			o.object(key+".insert", func() { o.row(r, foreign, writable, mandatory) })
		}
		if r.Updatable {
			o.object(key+".update", func() { o.row(r, foreign, writable, func(*schema.Column) bool { return false }) })
		}
	}
}

// writable leaves out what is GENERATED ALWAYS; BY DEFAULT has a default that a value replaces.
func writable(c *schema.Column) bool { return !c.Generated || c.Default != "" }

// mandatory are the columns without which a row cannot be inserted.
func mandatory(c *schema.Column) bool {
	return !c.Nullable && c.Default == "" && !c.Generated
}

func (o *document31) row(r *schema.Relation, foreign map[string]*schema.Relationship, has, must func(*schema.Column) bool) {
	o.field("type", "object")
	o.optional("description", r.Description)
	var required []string
	o.object("properties", func() {
		for i := range r.Columns {
			c := &r.Columns[i]
			if !has(c) {
				continue
			}
			if must(c) {
				required = append(required, c.Name)
			}
			o.object(c.Name, func() { o.column(c, describe(r, c, foreign[c.Name])) })
		}
	})
	if len(required) > 0 {
		o.strings("required", required...)
	}
}

func (o *document31) column(c *schema.Column, description string) {
	o.optional("description", description)
	o.typed(c.Type, c.Enum, c.Nullable)
	if c.MaxLength > 0 && jsonType(c.Type) == "string" {
		o.raw("maxLength", strconv.Itoa(c.MaxLength))
	}
	if value, ok := constant(c); ok {
		o.raw("default", value)
	}
	if !writable(c) {
		o.bool("readOnly", true)
	}
}

// typed writes the members that say what values a type has in JSON.
func (o *document31) typed(typ string, enum []string, nullable bool) {
	if len(enum) > 0 {
		o.typeName("string", nullable)
		o.array("enum", func() {
			for _, label := range enum {
				o.text(label)
			}
			if nullable {
				o.members("null")
			}
		})
		return
	}
	if element, array := strings.CutSuffix(typ, "[]"); array {
		o.typeName("array", nullable)
		o.object("items", func() { o.typed(element, nil, true) })
		return
	}
	if name := jsonType31(typ); name != "" {
		o.typeName(name, nullable)
	}
	o.optional("format", format31(typ))
}

func (o *document31) typeName(name string, nullable bool) {
	if nullable {
		o.strings("type", name, "null")
		return
	}
	o.field("type", name)
}

// jsonType31 knows that the types outside pg_catalog, whose names have a dot, may be rendered as anything: composite
// ones are objects, others have casts to json.
func jsonType31(typ string) string {
	switch {
	case typ == "record":
		return "object"
	case strings.Contains(typ, "."):
		return ""
	}
	return jsonType(typ)
}

// format31 is a registered format where values conform to it (a timestamp without time zone is no date-time), else
// PostgreSQL's name of the type where it says more than string.
func format31(typ string) string {
	switch typ {
	case "smallint", "integer":
		return "int32"
	case "bigint":
		return "int64"
	case "real":
		return "float"
	case "double precision":
		return "double"
	case "timestamp with time zone":
		return "date-time"
	case "boolean", "numeric", "json", "jsonb", "text", "character varying", "character", "record":
		return ""
	}
	return typ
}

// constant is the JSON value of a default that is a constant: 42, true, 'new'::text, '-1'::integer, '{}'::jsonb.
func constant(c *schema.Column) (value string, ok bool) {
	kind := jsonType31(c.Type)
	if len(c.Enum) > 0 {
		kind = "string"
	}
	text, quoted := unquote(c.Default, c.Type)
	switch {
	case kind == "string" && quoted:
		return string(appendQuoted(nil, text)), true
	case kind == "string" || kind == "array" || kind == "" && strings.Contains(c.Type, "."):
		return "", false
	}
	return text, json.Valid([]byte(text))
}

// unquote reads 'text'::type.
func unquote(expression, typ string) (text string, quoted bool) {
	text, found := strings.CutPrefix(expression, "'")
	if !found {
		return expression, false
	}
	if text, found = strings.CutSuffix(text, "'::"+typ); !found {
		return expression, false
	}
	return strings.ReplaceAll(text, "''", "'"), true
}
