package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// arrayTypes are the types whose values an array's input function reads just as json_to_recordset does. Others treat
// JSON in a way of their own (json, jsonb, arrays, composites), separate elements by something else than a comma, or
// make something else of a value where they know the column's modifier.
var arrayTypes = []string{
	"bigint", "boolean", "character varying", "date", "double precision", "integer", "numeric", "real", "smallint", "text",
	"timestamp with time zone", "timestamp without time zone", "uuid",
}

// fitsArrays reports whether the payload can be bound as arrays. What has defaults is read as jsonb, which spells numbers
// in its own way.
func (m *mutation) fitsArrays() bool {
	return len(m.columns) > 0 && !m.defaults && !slices.ContainsFunc(m.columns, func(c *schema.Column) bool {
		return !slices.Contains(arrayTypes, c.Type) || m.parser(c) != schema.Name{} ||
			c.NominalType != c.Type && !strings.HasPrefix(c.NominalType, c.Type+"(")
	})
}

// writeArrays puts the rows that arrays of the same length make. In a select list they are read side by side as the rows
// are wanted, where FROM would store all of them first. Modifiers of types are left to the assignment to the column.
func (m *mutation) writeArrays(s *sqlBuilder) {
	s.put("(SELECT ")
	s.each(len(m.columns), ", ", func(i int) {
		s.put("unnest(")
		s.bind(Arg{Kind: ArgColumn, Index: i})
		s.put("::", m.columns[i].Type, "[]) AS ", QuoteIdent(m.columns[i].Name))
	})
	s.put(") slip_body")
}
