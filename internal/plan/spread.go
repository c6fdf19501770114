package plan

import (
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// lift computes, bottom up, which columns every spread embed gives its parent.
//
// An aggregate inside a to-one spread is computed where the spread ends, grouped by what stands beside it: in
// /projects?select=client_id,...invoices(total.sum()) the sum belongs to client_id, not to a single invoice.
func (n *node) lift() error {
	for _, c := range n.children {
		if err := c.lift(); err != nil {
			return err
		}
	}
	if n.spread == noSpread {
		return nil
	}
	for i := range n.sel {
		s := &n.sel[i]
		l := lifted{name: s.alias}
		if l.name == "" {
			l.name = s.column.Name
		}
		if s.aggregate != request.NoAggregate && n.spread == toOneSpread {
			l.aggregate, l.aggregateCast, l.alias = s.aggregate, s.aggregateCast, s.alias
			s.aggregate, s.aggregateCast = request.NoAggregate, ""
		}
		n.lifted = append(n.lifted, l)
	}
	for _, c := range n.children {
		switch {
		case c.spread != noSpread:
			n.lifted = append(n.lifted, c.passUp(n.spread)...)
		case !c.empty():
			n.lifted = append(n.lifted, lifted{name: c.outputName()})
		}
	}
	if n.spread == toManySpread {
		return n.liftOrder()
	}
	return nil
}

// passUp is what a spread embed inside another spread embed gives the outer one's parent: by the names that the outer
// one selects it under. A to-one spread hands its aggregates on.
func (n *node) passUp(outer spread) []lifted {
	out := make([]lifted, len(n.lifted))
	for i, l := range n.lifted {
		out[i] = lifted{name: l.name}
		if l.aggregate == request.NoAggregate {
			continue
		}
		out[i].aggregate, out[i].aggregateCast, out[i].alias = l.aggregate, l.aggregateCast, l.alias
		if outer == toOneSpread {
			n.lifted[i].aggregate, n.lifted[i].aggregateCast, n.lifted[i].alias = request.NoAggregate, "", ""
		}
	}
	return out
}

// liftOrder moves the order of a to-many spread into its array aggregates, over hidden columns of the sub-query.
func (n *node) liftOrder() error {
	aggregated := false
	for i := range n.sel {
		aggregated = aggregated || n.sel[i].aggregate != request.NoAggregate
	}
	for _, l := range n.lifted {
		aggregated = aggregated || l.aggregate != request.NoAggregate
	}
	if aggregated {
		return &apierr.Error{
			Code:    "PGRST127",
			Message: "Feature not implemented",
			Details: "Aggregates are not implemented for one-to-many or many-to-many spreads.",
		}
	}
	for i, o := range n.order {
		hidden := n.aggAlias + "_" + o.column.Name + "_" + itoa(i+1)
		n.extra = append(n.extra, selected{field: o.field, alias: hidden, table: o.table})
		n.aggOrder = append(n.aggOrder, orderTerm{
			field:     field{column: request.Column{Name: hidden}, language: request.NoValue},
			direction: o.direction, nulls: o.nulls,
		})
	}
	n.order = nil
	return nil
}

// empty is true for an embed that selects nothing at any depth: it filters and joins, and does not show.
func (n *node) empty() bool {
	if len(n.sel) > 0 {
		return false
	}
	for _, c := range n.children {
		if !c.empty() {
			return false
		}
	}
	return true
}

// grouped is true when the level has aggregates, its own or those of its spread embeds.
func (n *node) grouped() bool {
	for i := range n.sel {
		if n.sel[i].aggregate != request.NoAggregate {
			return true
		}
	}
	for _, c := range n.children {
		for _, l := range c.lifted {
			if l.aggregate != request.NoAggregate {
				return true
			}
		}
	}
	return false
}
