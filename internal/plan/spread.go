package plan

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// spread is how an embed's columns are lifted into its parent.
type spread int

const (
	noSpread     spread = iota
	toOneSpread         // the columns themselves
	toManySpread        // arrays of the columns
)

// lifted is a column of a spread embed as its parent selects it.
type lifted struct {
	name          string
	alias         string
	aggregate     request.Aggregate
	aggregateCast string
}

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
	for i := range n.fields {
		n.lifted = append(n.lifted, n.fields[i].lift(n.spread))
	}
	for _, c := range n.children {
		switch {
		case c.spread != noSpread:
			n.lifted = append(n.lifted, c.passUp(n.spread)...)
		case !c.empty():
			n.lifted = append(n.lifted, lifted{name: c.outputName()})
		}
	}
	n.lifted = withoutCovered(n.lifted)
	if n.spread == toManySpread {
		return n.liftOrder()
	}
	return nil
}

// withoutCovered leaves out what * has already.
func withoutCovered(columns []lifted) []lifted {
	covers := func(l lifted) bool { return l.name == "*" && l.aggregate == request.NoAggregate }
	star := slices.IndexFunc(columns, covers)
	if star < 0 {
		return columns
	}
	out := []lifted{columns[star]}
	for _, l := range columns {
		if l.aggregate != request.NoAggregate {
			out = append(out, l)
		}
	}
	return out
}

// lift gives the column to the parent; a to-one spread gives the aggregate over it away.
func (s *selected) lift(into spread) lifted {
	l := lifted{name: s.alias}
	if l.name == "" {
		l.name = s.column.Name
	}
	if s.aggregate != request.NoAggregate && into == toOneSpread {
		l.aggregate, l.aggregateCast, l.alias = s.aggregate, s.aggregateCast, s.alias
		s.aggregate, s.aggregateCast = request.NoAggregate, ""
	}
	return l
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
	aggregated := aggregates(n.sel)
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
	n.rows = unused(n.rows, n.lifted)
	for i, o := range n.order {
		hidden := unused("pgrst_order_"+itoa(i+1), n.lifted)
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
	if len(n.fields) > 0 {
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
	for i := range n.fields {
		if n.fields[i].aggregate != request.NoAggregate {
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
