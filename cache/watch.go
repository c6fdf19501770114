package cache

import "slices"

// Side says which row of a change a watch looks at.
type Side uint8

// The sides of a change. Either matches when one of the rows does, each looked at on its own.
const (
	Either Side = iota
	Before
	After
)

// Watch says which changes of a table make an answer wrong. The zero Watch with a Table is the whole table.
//
// A watch with Columns matches a row whose tuple of them is one of Values, one without matches any row; in both cases all
// Terms must hold too. What is Unknown counts as a match, a row that is not there does not match, and a Change that is
// Whole matches every watch of its table.
//
// Columns and Values are indexed: any number of entries with them cost a change one look-up per distinct (Side, Columns)
// of the table. Terms are evaluated one entry after the other, 1,024 per change and list; the rest counts as matched.
type Watch struct {
	Table   Table
	Side    Side
	Columns []Column
	Values  []uint64 // from HashTuple
	Terms   []Term
}

// Term is a condition on a row. Holds must be true whenever the row might satisfy it: where it looks at a datum that is
// Unknown, or at one that it cannot judge. Size is about the bytes it takes in memory.
type Term interface {
	Holds(Row) bool
	Size() int
}

func (w *Watch) matches(ch *Change) bool {
	return ch.Whole ||
		w.Side != After && ch.Before != nil && w.matchesRow(ch.Before) ||
		w.Side != Before && ch.After != nil && w.matchesRow(ch.After)
}

func (w *Watch) matchesRow(r Row) bool {
	if len(w.Columns) > 0 {
		switch h, state := r.hash(w.Columns); state {
		case Null:
			return false
		case Known:
			if _, found := slices.BinarySearch(w.Values, h); !found {
				return false
			}
		}
	}
	return w.holds(r)
}

func (w *Watch) holds(r Row) bool {
	for _, t := range w.Terms {
		if !t.Holds(r) {
			return false
		}
	}
	return true
}

// own returns a copy that shares nothing with the caller but the terms, with the values sorted.
func (w Watch) own() Watch {
	w.Columns = slices.Clone(w.Columns)
	w.Values = slices.Clone(w.Values)
	slices.Sort(w.Values)
	w.Values = slices.Clip(slices.Compact(w.Values))
	w.Terms = slices.Clone(w.Terms)
	return w
}
