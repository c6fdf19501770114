package request

import (
	"bytes"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// maxConverted is how many bytes of JSON a CSV may become: every row repeats the
// names of the header, and PostgreSQL takes no value of more than 1 GB.
const maxConverted = 512 << 20

// byteOrderMark is what some programs begin a text with.
const byteOrderMark = "\ufeff"

// readCSV turns lines into an array of objects, whose keys are the fields of the
// first line and whose values are texts, or null for NULL. It gives up when that
// has more than most bytes. Many lines are only checked: their array is made when
// it is asked for.
func readCSV(body []byte, most int) (*Payload, *apierr.Error) {
	if err := checkBytes(body); err != nil {
		return nil, err
	}
	c := &csvRows{csvText: csvText{s: body}}
	if bytes.HasPrefix(body, []byte(byteOrderMark)) {
		c.i = len(byteOrderMark)
	}
	if !c.header() || !c.check(most) {
		return nil, c.fault
	}
	p := &Payload{Rows: c.rows}
	if c.rows > 0 {
		p.Columns = c.keys.names()
	}
	if order := c.order(); c.rows >= leastColumnar && order != nil {
		p.Columnar, p.order, p.csv = true, order, c
	} else {
		p.JSON = c.json()
	}
	return p, nil
}

// checkBytes is checkText for a body.
func checkBytes(body []byte) *apierr.Error {
	if bytes.IndexByte(body, 0) >= 0 {
		return checkText("\x00")
	}
	if !utf8.Valid(body) {
		return checkText("\xff")
	}
	return nil
}

// csvRows converts CSV to JSON, or to arrays.
type csvRows struct {
	csvText
	keys keySet
	// members are what stands before each value: the name and a colon. It is nil
	// where a later field has the same name, as the last one counts.
	members [][]byte
	first   int // where the second line begins
	rows    int
	size    int // of the JSON, in bytes
	scratch []byte
}

// header reads the names of the columns.
func (c *csvRows) header() bool {
	if len(bytes.TrimRight(c.s[c.i:], "\r\n")) == 0 {
		return c.malformed(c.i, "the first line must name the columns")
	}
	last := map[string]int{}
	for more := true; more; {
		f, ok := c.field()
		if !ok {
			return false
		}
		more = !f.last
		name := append(appendCSVField([]byte{'"'}, f), '"')
		c.keys.add(name, textRange{1, len(name)})
		if i, found := last[string(name)]; found {
			c.members[i] = nil
		}
		last[string(name)] = len(c.members)
		c.members = append(c.members, append(name, ':'))
	}
	return true
}

// order gives the place in the payload's Columns of each field, or nil when a name is there twice.
func (c *csvRows) order() []int {
	if len(c.members) != len(c.keys.sorted) {
		return nil
	}
	order := make([]int, len(c.members))
	for i, m := range c.members {
		order[i], _ = c.keys.find(c.keys.unescape(m[1 : len(m)-len(`":`)]))
	}
	return order
}

// check reads all lines that have something in them, and finds out how large their JSON is.
func (c *csvRows) check(most int) bool {
	c.first, c.size = c.i, len("[]")
	for c.i < len(c.s) {
		if c.endLine() {
			continue
		}
		if !c.checkRow() {
			return false
		}
		if c.rows++; c.size > most {
			return c.tooLarge(most)
		}
	}
	c.scratch = nil
	return true
}

func (c *csvRows) checkRow() bool {
	start, n := c.i, 0
	c.size += len(",{}")
	for more := true; more; n++ {
		f, ok := c.field()
		if !ok {
			return false
		}
		if more = !f.last; n < len(c.members) && c.members[n] != nil {
			c.scratch = c.member(c.scratch[:0], n, f)
			c.size += len(c.scratch) + len(",")
		}
	}
	if n == len(c.members) {
		return true
	}
	problem := fmt.Sprintf("the line has %d fields, the first one %d", n, len(c.members))
	c.fault = invalidBody("All lines must have same number of fields", newBodyError(c.s, start, problem))
	return false
}

// each gives the fields of all rows, which are known to be well-formed.
func (c *csvRows) each(field func(n int, f csvField)) {
	for c.i = c.first; c.i < len(c.s); {
		if c.endLine() {
			continue
		}
		for n, more := 0, true; more; n++ {
			f, _ := c.field()
			field(n, f)
			more = !f.last
		}
	}
}

// json makes an array of all rows.
func (c *csvRows) json() []byte {
	dst := append(make([]byte, 0, c.size), '[')
	c.each(func(n int, f csvField) {
		if n == 0 {
			dst = append(dst, '{')
		}
		if c.members[n] != nil {
			dst = append(c.member(dst, n, f), ',')
		}
		if f.last {
			dst[len(dst)-1] = '}' // there is a last field of each name
			dst = append(dst, ',')
		}
	})
	if c.rows > 0 {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ']')
}

// member appends the n-th name and its value.
func (c *csvRows) member(dst []byte, n int, f csvField) []byte {
	dst = append(dst, c.members[n]...)
	if f.null() {
		return append(dst, "null"...)
	}
	return append(appendCSVField(append(dst, '"'), f), '"')
}

// null reports whether the field is no text.
func (f csvField) null() bool { return string(f.text) == "NULL" }

func (c *csvRows) tooLarge(most int) bool {
	c.fault = &apierr.Error{
		Code:    "SLIP103",
		Status:  http.StatusRequestEntityTooLarge,
		Message: "The CSV is too large",
		Details: fmt.Sprintf("As JSON its first %d rows already have more than %d bytes", c.rows, most),
		Hint:    "Send it in several requests.",
	}
	return false
}

// appendCSVField appends a field as the inside of a JSON string.
func appendCSVField(dst []byte, f csvField) []byte {
	for text := f.text; ; {
		n := -1
		if f.quoted {
			n = bytes.IndexByte(text, '"')
		}
		if n < 0 {
			return appendJSONText(dst, text)
		}
		dst = appendJSONText(dst, text[:n+1])
		text = text[n+2:]
	}
}
