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
// has more than most bytes.
func readCSV(body []byte, most int) (*Payload, *apierr.Error) {
	if err := checkBytes(body); err != nil {
		return nil, err
	}
	c := csvRows{csvText: csvText{s: body}, most: most}
	if bytes.HasPrefix(body, []byte(byteOrderMark)) {
		c.i = len(byteOrderMark)
	}
	if !c.header() || !c.convert() {
		return nil, c.fault
	}
	if c.rows == 0 {
		return &Payload{JSON: c.dst}, nil
	}
	p := &Payload{JSON: c.dst, Rows: c.rows, Columns: c.keys.names()}
	if p.Rows >= leastColumnar {
		p.setOrder(c.order())
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

// csvRows converts CSV to JSON.
type csvRows struct {
	csvText
	keys keySet
	// members are what stands before each value: the name and a colon. It is nil
	// where a later field has the same name, as the last one counts.
	members [][]byte
	rows    int
	dst     []byte
	most    int // how long dst may get
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

// convert appends an array of all lines that have something in them.
func (c *csvRows) convert() bool {
	c.dst = append(make([]byte, 0, 2*len(c.s)+64), '[')
	for c.i < len(c.s) {
		if c.endLine() {
			continue
		}
		if c.rows > 0 {
			c.dst = append(c.dst, ',')
		}
		if !c.row() {
			return false
		}
		if c.rows++; len(c.dst) > c.most {
			return c.tooLarge()
		}
	}
	c.dst = append(c.dst, ']')
	return true
}

// row appends an object.
func (c *csvRows) row() bool {
	c.dst = append(c.dst, '{')
	start, opening, n := c.i, len(c.dst), 0
	for more := true; more; n++ {
		f, ok := c.field()
		if !ok {
			return false
		}
		if more = !f.last; n >= len(c.members) || c.members[n] == nil {
			continue
		}
		if len(c.dst) > opening {
			c.dst = append(c.dst, ',')
		}
		c.member(c.members[n], f)
	}
	c.dst = append(c.dst, '}')
	if n == len(c.members) {
		return true
	}
	problem := fmt.Sprintf("the line has %d fields, the first one %d", n, len(c.members))
	c.fault = invalidBody("All lines must have same number of fields", newBodyError(c.s, start, problem))
	return false
}

func (c *csvRows) member(name []byte, f csvField) {
	c.dst = append(c.dst, name...)
	if string(f.text) == "NULL" {
		c.dst = append(c.dst, "null"...)
		return
	}
	c.dst = append(appendCSVField(append(c.dst, '"'), f), '"')
}

func (c *csvRows) tooLarge() bool {
	c.fault = &apierr.Error{
		Code:    "SLIP103",
		Status:  http.StatusRequestEntityTooLarge,
		Message: "The CSV is too large",
		Details: fmt.Sprintf("As JSON its first %d rows already have more than %d bytes", c.rows, c.most),
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
