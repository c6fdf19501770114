package request

import "iter"

// Chunk is a part of a payload that holds whole rows.
type Chunk struct {
	// JSON are the rows as sent, with the commas between them and without brackets. It shares memory with the payload.
	JSON []byte
	// First is the number of the first row, from 0.
	First int
	// Rows is how many there are, at least 1.
	Rows int
}

// Chunks splits JSON into parts of at most size bytes, a larger row being a part
// of its own, so that a large write can be sent piece by piece. It gives nothing
// where Rows is not positive. Size 1 gives row by row.
func (p *Payload) Chunks(size int) iter.Seq[Chunk] {
	return func(yield func(Chunk) bool) {
		if p.Rows <= 0 {
			return
		}
		t := jsonText{s: p.Document()}
		i := t.blank(0)
		if t.s[i] != '[' {
			yield(Chunk{JSON: t.s[i:t.value(i, 0)], Rows: 1})
			return
		}
		t.chunks(i+1, size, yield)
	}
}

// chunks gives the rows from i on, whose text is known to be well-formed.
func (t *jsonText) chunks(i, size int, yield func(Chunk) bool) {
	var c Chunk
	from, to := 0, 0 // of the rows of c
	for more := true; more; {
		i = t.blank(i)
		end := t.value(i, 1)
		if c.Rows > 0 && end-from > size {
			if c.JSON = t.s[from:to]; !yield(c) {
				return
			}
			c = Chunk{First: c.First + c.Rows}
		}
		if c.Rows == 0 {
			from = i
		}
		to = end
		c.Rows++
		i, more = t.next(end, ']')
	}
	c.JSON = t.s[from:to]
	yield(c)
}
