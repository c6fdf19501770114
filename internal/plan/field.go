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
	// wholeRow selects the row itself, for count() in a spread embed.
	wholeRow bool
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
		f.transform = r.snapshot.Representations[[2]string{col.NominalType, "json"}]
	}
	return f
}

// filter resolves a filtered column: operands of domains with a cast from text are parsed by it.
func (r resolver) filter(c request.Condition) field {
	f, col := r.column(c.Column)
	switch c.Operator {
	case request.Fts, request.Plfts, request.Phfts, request.Wfts:
		f.tsvector = col != nil && col.Type != "tsvector"
		f.language = c.Language
	}
	if col != nil {
		f.transform = r.snapshot.Representations[[2]string{"text", col.NominalType}]
	}
	return f
}

// represented reports whether any column of the relation is rendered by a data representation.
func (r resolver) represented() bool {
	if r.relation == nil || len(r.snapshot.Representations) == 0 {
		return false
	}
	for i := range r.relation.Columns {
		if _, ok := r.snapshot.Representations[[2]string{r.relation.Columns[i].NominalType, "json"}]; ok {
			return true
		}
	}
	return false
}

// write puts the field, qualified by table (already quoted), into b.
func (f *field) write(b *sqlBuilder, table string) {
	if f.tsvector {
		b.put("to_tsvector(")
		if f.language != request.NoValue {
			b.bindValue(f.language)
			b.put(", ")
		}
		defer b.put(")")
	}
	switch {
	case f.wholeRow:
		b.put(table)
	case len(f.column.Path) == 0:
		b.put(quoteColumn(table, f.column.Name))
	case f.plainJSON:
		b.put(quoteColumn(table, f.column.Name))
		writeJSONPath(b, f.column.Path)
	default:
		b.put("to_jsonb(", quoteColumn(table, f.column.Name), ")")
		writeJSONPath(b, f.column.Path)
	}
}

func writeJSONPath(b *sqlBuilder, path []request.JSONStep) {
	for _, s := range path {
		if s.Text {
			b.put("->>")
		} else {
			b.put("->")
		}
		b.bindText(s.Key)
		if s.Index {
			b.put("::int")
		}
	}
}
