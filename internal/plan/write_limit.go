package plan

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// limitedRows are limit= and offset= of a PATCH or DELETE, which choose rows by their primary key. PostgREST has not
// had this since its version 13: it writes all rows, whatever the limit.
type limitedRows struct {
	key           []string
	order         []orderTerm
	limit, offset bool
}

// limit reads the window of the top level.
func (m *mutation) limit(root *node, w request.Window) error {
	l := &limitedRows{key: m.relation.PrimaryKey, limit: w.Limit != request.NoLimit, offset: w.Offset > 0}
	if !l.limit && !l.offset {
		return nil
	}
	if len(l.key) == 0 {
		return &apierr.Error{
			Code:    "SLIP106",
			Message: "'" + m.relation.Name.Name + "' has no primary key by which limit or offset could choose rows to write",
			Hint:    "Choose them by filters.",
		}
	}
	for i := range root.order {
		if root.order[i].table != "" {
			return &apierr.Error{
				Code:    "SLIP106",
				Message: "limit and offset cannot choose rows to write in the order of an embedded resource",
				Hint:    "Order by columns of '" + m.relation.Name.Name + "'.",
			}
		}
	}
	l.order = slices.Clone(root.order)
	for _, name := range l.key { // the same rows whenever it runs
		l.order = append(l.order, orderTerm{field: field{column: request.Column{Name: name}}})
	}
	m.limited = l
	return nil
}

// write puts the condition that a row is one of those within the limit. The filters stand beside it as well: another
// transaction may have changed the row by the time that it is locked.
func (l *limitedRows) write(s *sqlBuilder, m *mutation, table string) {
	key := func() { s.each(len(l.key), ", ", func(i int) { s.put(quoteColumn(table, l.key[i])) }) }
	s.put("(")
	key()
	s.put(") IN (SELECT ")
	key()
	s.put(" FROM ", table)
	m.writeWhere(s, table, " WHERE ")
	writeOrder(s, l.order, table)
	if l.limit {
		s.put(" LIMIT ")
		s.bind(Arg{Kind: ArgWriteLimit})
	}
	if l.offset {
		s.put(" OFFSET ")
		s.bind(Arg{Kind: ArgOffset, Index: RootWindow})
	}
	s.put(")")
}
