package request

import "github.com/slipstream-go/slipstream/internal/apierr"

// maxJSONDepth is how deeply arrays and objects of a body may nest. PostgreSQL
// itself gives up at a depth that depends on its stack, and with a status 500.
const maxJSONDepth = 128

// jsonText walks a JSON text (RFC 8259) in one pass without taking it apart.
//
// Its methods take the index where something begins and give the index after
// it, or -1 when it is malformed; problem and at then say what is wrong where.
type jsonText struct {
	s       []byte
	problem string
	at      int
	deep    bool // the problem is the depth
}

func (t *jsonText) fail(at int, problem string) int {
	t.at, t.problem = at, problem
	return -1
}

// fault is the error that the client is told, or nil.
func (t *jsonText) fault() *apierr.Error {
	switch {
	case t.problem == "":
		return nil
	case t.deep:
		return tooDeep(newBodyError(t.s, t.at, t.problem))
	}
	return invalidBody("Empty or invalid json", newBodyError(t.s, t.at, t.problem))
}

// blank skips white space.
func (t *jsonText) blank(i int) int {
	for i < len(t.s) {
		switch t.s[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// end makes sure that nothing but white space follows.
func (t *jsonText) end(i int) int {
	if i = t.blank(i); i < len(t.s) {
		return t.fail(i, "text after the end of the value")
	}
	return i
}

// value skips white space and a value that is nested in depth others.
func (t *jsonText) value(i, depth int) int {
	if i = t.blank(i); i >= len(t.s) {
		return t.fail(i, "the text ends where a value is expected")
	}
	switch c := t.s[i]; c {
	case '"':
		return t.text(i)
	case '{':
		return t.object(i, depth+1)
	case '[':
		return t.array(i, depth+1)
	case 't':
		return t.literal(i, "true")
	case 'f':
		return t.literal(i, "false")
	case 'n':
		return t.literal(i, "null")
	default:
		if c == '-' || isDigit(c) {
			return t.number(i)
		}
	}
	return t.fail(i, "expected a value")
}

func (t *jsonText) literal(i int, word string) int {
	if len(t.s)-i < len(word) || string(t.s[i:i+len(word)]) != word {
		return t.fail(i, "expected a value")
	}
	return i + len(word)
}

func (t *jsonText) object(i, depth int) int {
	if depth > maxJSONDepth {
		return t.failDepth(i)
	}
	i, more := t.open(i, '}')
	for more {
		if i = t.key(i); i < 0 {
			return i
		}
		if i = t.colon(i); i < 0 {
			return i
		}
		if i = t.value(i, depth); i < 0 {
			return i
		}
		if i, more = t.next(i, '}'); i < 0 {
			return i
		}
	}
	return i
}

func (t *jsonText) array(i, depth int) int {
	if depth > maxJSONDepth {
		return t.failDepth(i)
	}
	i, more := t.open(i, ']')
	for more {
		if i = t.value(i, depth); i < 0 {
			return i
		}
		if i, more = t.next(i, ']'); i < 0 {
			return i
		}
	}
	return i
}

func (t *jsonText) failDepth(i int) int {
	t.deep = true
	return t.fail(i, "arrays and objects are nested too deeply")
}

// open skips a bracket, and the closing one if nothing is between them.
func (t *jsonText) open(i int, closing byte) (after int, more bool) {
	if i = t.blank(i + 1); i < len(t.s) && t.s[i] == closing {
		return i + 1, false
	}
	return i, true
}

// next skips the comma after a member, or the closing bracket after the last one.
func (t *jsonText) next(i int, closing byte) (after int, more bool) {
	if i = t.blank(i); i < len(t.s) {
		switch t.s[i] {
		case ',':
			return i + 1, true
		case closing:
			return i + 1, false
		}
	}
	if closing == '}' {
		return t.fail(i, "expected a comma or }"), false
	}
	return t.fail(i, "expected a comma or ]"), false
}

// key skips white space and the key of a member.
func (t *jsonText) key(i int) int {
	if i = t.blank(i); i >= len(t.s) || t.s[i] != '"' {
		return t.fail(i, "expected a key in double quotes")
	}
	return t.text(i)
}

func (t *jsonText) colon(i int) int {
	if i = t.blank(i); i >= len(t.s) || t.s[i] != ':' {
		return t.fail(i, "expected a colon")
	}
	return i + 1
}

// number skips a number; what is glued to it is the business of who reads on.
func (t *jsonText) number(i int) int {
	if t.s[i] == '-' {
		i++
	}
	switch {
	case i < len(t.s) && t.s[i] == '0':
		i++
	default:
		if i = t.digits(i); i < 0 {
			return i
		}
	}
	if i < len(t.s) && t.s[i] == '.' {
		if i = t.digits(i + 1); i < 0 {
			return i
		}
	}
	if i < len(t.s) && t.s[i]|0x20 == 'e' {
		if i++; i < len(t.s) && (t.s[i] == '+' || t.s[i] == '-') {
			i++
		}
		return t.digits(i)
	}
	return i
}

func (t *jsonText) digits(i int) int {
	start := i
	for i < len(t.s) && isDigit(t.s[i]) {
		i++
	}
	if i == start {
		return t.fail(i, "expected a digit")
	}
	return i
}
