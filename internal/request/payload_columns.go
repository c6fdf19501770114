package request

import "bytes"

// leastColumnar is how many rows a payload must have to be Columnar: for fewer there is nothing to gain.
const leastColumnar = 100

// setOrder finds out whether Arrays can take the payload apart. order are the places in Columns of the keys of every row,
// one after the other; nil where rows differ in that.
func (p *Payload) setOrder(order []int) {
	// What stands for no text in PostgreSQL must come to the function that has the right words for it.
	if order != nil && !bytes.Contains(p.JSON, []byte(`\u0000`)) {
		p.Columnar, p.order = true, order
	}
}

// Document gives JSON, which it makes if need be. It is not for concurrent use.
func (p *Payload) Document() []byte {
	if p.JSON == nil && p.csv != nil {
		p.JSON = p.csv.json()
	}
	return p.JSON
}

// order gives the place in Columns of each key as the rows have them, or nil when not all have them in the same order,
// and once.
func (t *jsonRows) order() []int {
	if t.shuffled || len(t.written) != len(t.sorted) || t.full {
		return nil
	}
	return t.ranks
}

// Arrays gives the Columns of a Columnar payload as texts of PostgreSQL's arrays
// (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Their elements are what json_to_recordset gives
// the input functions of scalar types: of a string what it stands for, NULL for null, and anything else as it was sent.
func (p *Payload) Arrays() [][]byte {
	a := arrays{jsonText: jsonText{s: p.JSON}, order: p.order, columns: make([][]byte, len(p.Columns))}
	for i := range a.columns {
		a.columns[i] = []byte{'{'}
	}
	if p.csv != nil {
		a.takeLines(p.csv)
	} else {
		a.takeRows()
	}
	for _, c := range a.columns {
		c[len(c)-1] = '}' // which was a comma
	}
	return a.columns
}

// arrays takes rows apart whose text is known to be well-formed and uniform.
type arrays struct {
	jsonText
	order   []int
	columns [][]byte
	scratch []byte
}

// takeLines takes the rows of CSV.
func (a *arrays) takeLines(c *csvRows) {
	a.s = c.s[c.first:]
	row := 0
	c.each(func(n int, f csvField) {
		dst := &a.columns[a.order[n]]
		*dst = append(appendCSVElement(*dst, f), ',')
		if f.last {
			if row++; row == leastColumnar {
				a.reserve(c.i - c.first)
			}
		}
	})
}

// appendCSVElement appends a field as an element.
func appendCSVElement(dst []byte, f csvField) []byte {
	if f.null() {
		return append(dst, "NULL"...)
	}
	if !f.quoted && bytes.IndexByte(f.text, '\\') < 0 {
		return append(append(append(dst, '"'), f.text...), '"')
	}
	dst = append(dst, '"')
	for i := 0; i < len(f.text); i++ {
		c := f.text[i]
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		if dst = append(dst, c); c == '"' {
			i++ // it is doubled
		}
	}
	return append(dst, '"')
}

// takeRows takes the rows of an array of JSON.
func (a *arrays) takeRows() {
	i := a.blank(0) + 1
	for row, more := 1, true; more; row++ {
		i = a.row(i)
		if row == leastColumnar {
			a.reserve(i)
		}
		i, more = a.next(i, ']')
	}
}

// row appends the values of the object at i, and a comma to each.
func (a *arrays) row(i int) int {
	i, more := a.open(a.blank(i), '}')
	for n := 0; more; n++ {
		start := a.blank(a.colon(a.key(i)))
		i = a.value(start, 0)
		c := &a.columns[a.order[n]]
		*c = append(a.element(*c, a.s[start:i]), ',')
		i, more = a.next(i, '}')
	}
	return i
}

func (a *arrays) element(dst, value []byte) []byte {
	switch value[0] {
	case '"':
		if bytes.IndexByte(value, '\\') < 0 {
			return append(dst, value...)
		}
		a.scratch = appendUnescaped(a.scratch[:0], value[1:len(value)-1])
		return appendQuoted(dst, a.scratch)
	case '{', '[':
		return appendQuoted(dst, value)
	}
	return append(dst, value...) // a number, a boolean, or null
}

// appendQuoted appends an element in quotes.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// reserve makes room for all rows as if they were like those up to i, and an eighth more.
func (a *arrays) reserve(i int) {
	for n, c := range a.columns {
		size := len(c) * (len(a.s)/i + 1)
		a.columns[n] = append(make([]byte, 0, size+size/8), c...)
	}
}
