package cache

// Op is a comparison of SQL, as it is when it stands alone in WHERE: it holds or it does not, and with a Null only the
// tests for it hold.
type Op uint8

// The comparisons.
const (
	Eq Op = iota
	Ne
	Lt
	Lte
	Gt
	Gte
	In // = ANY
	IsNull
	NotNull
	IsTrue
	IsFalse
)

func (o Op) String() string {
	return [...]string{"=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null", "is true", "is false"}[o]
}

// Compare is the Term that a column compares so with a value, or for In with one of several. Values are canonical texts,
// as in Datum. What it cannot judge holds: Lt of a Text, and values that do not look like their Kind.
type Compare struct {
	Column Column
	Op     Op
	Kind   Kind
	Values []string
}

// Holds implements Term.
func (c Compare) Holds(r Row) bool {
	d := r.at(c.Column)
	switch {
	case d.State == Unknown:
		return true
	case c.Op == IsNull:
		return d.State == Null
	case d.State == Null:
		return false
	}
	switch c.Op {
	case NotNull:
		return true
	case IsTrue:
		return d.Text != "f"
	case IsFalse:
		return d.Text != "t"
	}
	return c.any(d.Text)
}

// any reports whether the comparison holds, or may hold, for any of the values.
func (c Compare) any(text string) bool {
	for _, v := range c.Values {
		if c.one(text, v) {
			return true
		}
	}
	return false
}

func (c Compare) one(text, value string) bool {
	switch c.Op {
	case Eq, In, Ne:
		equal, ok := c.Kind.equal(text, value)
		return !ok || equal == (c.Op != Ne)
	}
	order, ok := c.Kind.compare(text, value)
	if !ok {
		return true
	}
	switch c.Op {
	case Lt:
		return order < 0
	case Lte:
		return order <= 0
	case Gt:
		return order > 0
	case Gte:
		return order >= 0
	}
	return true
}

// Size implements Term.
func (c Compare) Size() int {
	n := 48
	for _, v := range c.Values {
		n += 16 + len(v)
	}
	return n
}
