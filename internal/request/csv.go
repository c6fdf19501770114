package request

import (
	"bytes"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// csvText takes CSV apart (RFC 4180). A line may also end with a line feed or a carriage return alone.
type csvText struct {
	s     []byte
	i     int
	fault *apierr.Error
}

// csvField is a field of a line, without its outer quotes.
type csvField struct {
	text   []byte
	quoted bool // quotes in text are doubled
	last   bool // of the line
}

func (c *csvText) malformed(at int, problem string) bool {
	c.fault = invalidBody("Empty or invalid csv", newBodyError(c.s, at, problem))
	return false
}

// field reads a field and the comma or the end of the line after it.
func (c *csvText) field() (f csvField, ok bool) {
	if c.i < len(c.s) && c.s[c.i] == '"' {
		f.quoted = true
		if f.text, ok = c.quotedText(); !ok {
			return f, false
		}
	} else {
		f.text = c.bareText()
	}
	switch {
	case c.i >= len(c.s):
		f.last = true
	case c.s[c.i] == ',':
		c.i++
	case c.endLine():
		f.last = true
	case f.quoted:
		return f, c.malformed(c.i, "expected a comma or the end of the line after a closing quote")
	default:
		return f, c.malformed(c.i, "a field with a quote in it must be in quotes")
	}
	return f, true
}

// bareText reads a field up to its end, or to a quote, which it cannot have.
func (c *csvText) bareText() []byte {
	rest := c.s[c.i:]
	n := 0
	for n < len(rest) && rest[n] != ',' && rest[n] != '\n' && rest[n] != '\r' && rest[n] != '"' {
		n++
	}
	c.i += n
	return rest[:n]
}

// quotedText reads up to the quote that is not doubled.
func (c *csvText) quotedText() ([]byte, bool) {
	start := c.i + 1
	for i := start; ; i += 2 {
		n := bytes.IndexByte(c.s[i:], '"')
		if n < 0 {
			return nil, c.malformed(start-1, "the quote is not closed")
		}
		if i += n; i+1 >= len(c.s) || c.s[i+1] != '"' {
			c.i = i + 1
			return c.s[start:i], true
		}
	}
}

// endLine skips the end of a line.
func (c *csvText) endLine() bool {
	switch {
	case c.s[c.i] == '\n':
		c.i++
	case c.s[c.i] != '\r':
		return false
	case c.i+1 < len(c.s) && c.s[c.i+1] == '\n':
		c.i += 2
	default:
		c.i++
	}
	return true
}
