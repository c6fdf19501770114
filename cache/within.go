package cache

// OrderColumn is one column of ORDER BY.
type OrderColumn struct {
	Column     Column
	Kind       Kind
	Descending bool
	NullsFirst bool // PostgreSQL's default when Descending
}

// Within is the Term that a row sorts at or before the last row of a full page, whose values of the columns Last are: then
// it may push that one out. It holds too where it cannot judge. A page that is not full has no Last: every row may join it.
type Within struct {
	Columns []OrderColumn
	Last    []Datum
}

// Holds implements Term.
func (w Within) Holds(r Row) bool {
	for i, c := range w.Columns {
		if i >= len(w.Last) {
			return true
		}
		switch order, ok := c.compare(r.at(c.Column), w.Last[i]); {
		case !ok || order < 0:
			return true
		case order > 0:
			return false
		}
	}
	return true
}

// compare returns which of two values sorts first, if it can tell.
func (c OrderColumn) compare(a, b Datum) (order int, ok bool) {
	switch {
	case a.State == Unknown || b.State == Unknown:
		return 0, false
	case a.State == Null && b.State == Null:
		return 0, true
	case a.State == Null:
		return c.null(), true
	case b.State == Null:
		return -c.null(), true
	}
	order, ok = c.Kind.compare(a.Text, b.Text)
	if c.Descending {
		order = -order
	}
	return order, ok
}

// null returns where a Null sorts against a value.
func (c OrderColumn) null() int {
	if c.NullsFirst {
		return -1
	}
	return 1
}

// Size implements Term.
func (w Within) Size() int {
	n := 64 + 8*len(w.Columns)
	for _, d := range w.Last {
		n += 24 + len(d.Text)
	}
	return n
}
