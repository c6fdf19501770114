package plan

import (
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// orderTerm is one term of ORDER BY.
type orderTerm struct {
	field
	table     string // overrides the level's own table, for columns of an embed
	direction request.Direction
	nulls     request.Nulls
}

// orders resolves the order of one level.
func (b *builder) orders(n *node) error {
	for _, t := range n.terms {
		term, err := b.orderTerm(n, t)
		if err != nil {
			return err
		}
		n.order = append(n.order, term)
	}
	return nil
}

func (b *builder) orderTerm(n *node, t request.OrderTerm) (orderTerm, error) {
	out := orderTerm{direction: t.Direction, nulls: t.Nulls}
	if t.Relation == "" {
		out.field = resolver{b.snapshot, n.relation}.order(t.Column)
		return out, nil
	}
	for _, c := range n.children {
		if c.outputName() != t.Relation {
			continue
		}
		if c.toMany() {
			return out, &apierr.Error{
				Code:    "PGRST118",
				Message: "A related order on '" + t.Relation + "' is not possible",
				Details: "'" + n.from.Name + "' and '" + t.Relation + "' do not form a many-to-one or one-to-one relationship",
			}
		}
		out.field = field{column: t.Column, language: request.NoValue}
		out.table, c.ordered = c.agg(), true
		return out, nil
	}
	return out, notEmbedded(t.Relation)
}

func (o *orderTerm) write(s *sqlBuilder, table string) {
	if o.table != "" {
		table = o.table
	}
	o.field.write(s, table)
	switch o.direction {
	case request.Asc:
		s.put(" ASC")
	case request.Desc:
		s.put(" DESC")
	}
	switch o.nulls {
	case request.NullsFirst:
		s.put(" NULLS FIRST")
	case request.NullsLast:
		s.put(" NULLS LAST")
	}
}

func writeOrder(s *sqlBuilder, terms []orderTerm, table string) {
	if len(terms) == 0 {
		return
	}
	s.put(" ORDER BY ")
	s.each(len(terms), ", ", func(i int) { terms[i].write(s, table) })
}
