package plan

import (
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// field is a column as it is used in SQL: with the conversions that its type asks for.
type field struct {
	column request.Column
	// plainJSON is true for json and jsonb columns: their paths need no to_jsonb, which would keep indexes from being used.
	plainJSON bool
	// tsvector wraps the column in to_tsvector(language, …) for full-text operators.
	tsvector bool
	language request.Value
	// transform is the data representation's function around the column (output) or around the operand (filters).
	transform schema.Name
	// present stands for the row itself in count() of a spread embed: something that is not NULL.
	present bool
}

// resolver knows the relation whose columns are being resolved; the relation is nil where the rows' type is unknown.
type resolver struct {
	snapshot *schema.Snapshot
	relation *schema.Relation
}

// column resolves a name and JSON path; names that the catalog does not list (computed fields, function results) pass.
func (r resolver) column(c request.Column) (field, *schema.Column) {
	f := field{column: c, language: request.NoValue}
	if r.relation == nil {
		return f, nil
	}
	col, ok := r.relation.Column(c.Name)
	if !ok {
		return f, nil
	}
	f.plainJSON = col.NominalType == "json" || col.NominalType == "jsonb"
	return f, col
}

// output resolves a selected column: domains with a cast to json are rendered by it.
func (r resolver) output(c request.Column) field {
	f, col := r.column(c)
	if col != nil {
		f.transform = r.representation(col.NominalType, "json")
	}
	return f
}

// filter resolves a filtered column: operands of domains with a cast from text are parsed by it.
func (r resolver) filter(c *request.Condition) field {
	f, col := r.column(c.Column)
	if col == nil {
		return f
	}
	switch c.Operator {
	case request.Fts, request.Plfts, request.Phfts, request.Wfts:
		f.tsvector, f.language = col.Type != "tsvector", c.Language
	}
	f.transform = r.representation("text", col.NominalType)
	return f
}

// order resolves a column to sort by. json has no order, jsonb has.
func (r resolver) order(c request.Column) field {
	f, col := r.column(c)
	if n := len(c.Path); n > 0 && !c.Path[n-1].Text && col != nil && col.NominalType == "json" {
		f.plainJSON = false
	}
	return f
}

// representation is the function of the cast between two types, or the zero Name.
func (r resolver) representation(from, to string) schema.Name {
	return r.snapshot.Representations[[2]string{from, to}]
}

// represented reports whether any column of the relation is rendered by a data representation.
func (r resolver) represented() bool {
	if r.relation == nil || len(r.snapshot.Representations) == 0 {
		return false
	}
	for i := range r.relation.Columns {
		if r.representation(r.relation.Columns[i].NominalType, "json") != (schema.Name{}) {
			return true
		}
	}
	return false
}

// write puts the field, qualified by table (already quoted), into s.
func (f *field) write(s *sqlBuilder, table string) {
	if f.present {
		s.put("true")
		return
	}
	if f.tsvector {
		s.put("to_tsvector(")
		if f.language != request.NoValue {
			s.bindValue(f.language)
			s.put(", ")
		}
		defer s.put(")")
	}
	column := quoteColumn(table, f.column.Name)
	if len(f.column.Path) > 0 && !f.plainJSON {
		column = "to_jsonb(" + column + ")"
	}
	s.put(column)
	for _, step := range f.column.Path {
		arrow, cast := "->", ""
		if step.Text {
			arrow = "->>"
		}
		if step.Index {
			cast = "::int"
		}
		s.put(arrow)
		s.bindText(step.Key, cast)
	}
}
