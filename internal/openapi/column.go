package openapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// foreignKeys finds, by column, the relationship of the foreign key that is this column alone, to a table rather than
// to a view of it.
func (d *Description) foreignKeys(r *schema.Relation) map[string]*schema.Relationship {
	found := make(map[string]*schema.Relationship)
	for _, rel := range d.Snapshot.RelationshipsFrom(r.Name, d.Schema) {
		holds := rel.Cardinality == schema.ManyToOne || rel.Cardinality == schema.OneToOne && rel.OriginHoldsKey
		if !holds || len(rel.Columns) != 1 {
			continue
		}
		column := rel.Columns[0].Left
		if first := found[column]; first == nil || first.TargetIsView && !rel.TargetIsView {
			found[column] = rel
		}
	}
	return found
}

// describe is a column's comment and notes on its keys, marked up as tools expect them of PostgREST.
func describe(r *schema.Relation, c *schema.Column, key *schema.Relationship) string {
	primary := slices.Contains(r.PrimaryKey, c.Name)
	if !primary && key == nil {
		return c.Description
	}
	var b strings.Builder
	if c.Description != "" {
		b.WriteString(c.Description + "\n\n")
	}
	b.WriteString("Note:")
	if primary {
		b.WriteString("\nThis is a Primary Key.<pk/>")
	}
	if key != nil {
		table, column := key.Target.Name, key.Columns[0].Right
		b.WriteString("\nThis is a Foreign Key to `" + table + "." + column + "`.<fk table='" + table + "' column='" + column + "'/>")
	}
	return b.String()
}

// jsonType is the JSON type of a PostgreSQL type as PostgREST maps it; empty for json and jsonb, which are any.
func jsonType(typ string) string {
	switch typ {
	case "boolean":
		return "boolean"
	case "smallint", "integer", "bigint":
		return "integer"
	case "numeric", "real", "double precision":
		return "number"
	case "json", "jsonb":
		return ""
	}
	if strings.HasSuffix(typ, "[]") {
		return "array"
	}
	return "string"
}

// defaultValue is the JSON value of a default expression. Only a constant has one; PostgREST takes every expression of a
// type that is a JSON string for its text.
func defaultValue(c *schema.Column) (value string, ok bool) {
	value = c.Default
	if jsonType(c.Type) == "string" && value != "" {
		if constant, found := strings.CutSuffix(value, "::"+c.Type); found {
			value = strings.Trim(constant, "'")
		}
		value = `"` + value + `"`
	}
	return value, json.Valid([]byte(value))
}
