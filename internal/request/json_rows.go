package request

import (
	"fmt"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// jsonRows is what a body of JSON holds: an object, an array of rows, or a scalar.
type jsonRows struct {
	jsonText
	keySet
	opening byte // '{' or '[', anything else for a scalar
	rows    int
	ragged  bool // the rows are not all objects with the same keys
	// shuffled is true when the rows do not all have their keys in the order of the first one, and once.
	shuffled bool

	alienAt, alien int // where the first row that differs is, and its number from 1
}

// raggedFault is the error that the client is told.
func (t *jsonRows) raggedFault() *apierr.Error {
	problem := fmt.Sprintf("row %d is not an object with the keys of the first row", t.alien)
	return invalidBody("All object keys must match", newBodyError(t.s, t.alienAt, problem))
}

// setRagged remembers the row that just began at i.
func (t *jsonRows) setRagged(i int) {
	t.ragged, t.alienAt, t.alien = true, i, t.rows
}

// scan reads the whole text. compare is false where the rows may differ.
func (t *jsonRows) scan(compare bool) bool {
	i := t.blank(0)
	if i < len(t.s) {
		t.opening = t.s[i]
	}
	switch {
	case t.opening == '{' && compare:
		t.rows = 1
		i = t.firstRow(i, 1)
	case t.opening == '[':
		i = t.list(i, compare)
	default:
		t.rows = 1
		i = t.value(i, 0)
	}
	return i >= 0 && t.end(i) >= 0
}

// list skips the array of rows.
func (t *jsonRows) list(i int, compare bool) int {
	i, more := t.open(i, ']')
	for more {
		t.rows++
		i = t.blank(i)
		switch {
		case !compare || t.ragged:
			i = t.value(i, 1)
		case i >= len(t.s) || t.s[i] != '{':
			t.setRagged(i)
			i = t.value(i, 1)
		case t.rows == 1:
			i = t.firstRow(i, 2)
			t.close(t.s)
		default:
			i = t.row(i)
		}
		if i < 0 {
			return i
		}
		if i, more = t.next(i, ']'); i < 0 {
			return i
		}
	}
	return i
}

// firstRow skips an object and takes its keys.
func (t *jsonRows) firstRow(i, depth int) int {
	i, more := t.open(i, '}')
	for more {
		i = t.blank(i)
		start := i + 1
		if i = t.key(i); i < 0 {
			return i
		}
		t.add(t.s, textRange{start, i})
		if i, more = t.member(i, depth); i < 0 {
			return i
		}
	}
	return i
}

// row skips an object and compares its keys with those of the first one.
func (t *jsonRows) row(i int) int {
	keys := rowKeys{keySet: &t.keySet, row: t.rows}
	start := i
	i, more := t.open(i, '}')
	for more {
		i = t.blank(i)
		end, ok := keys.expected(t.s, i)
		if !ok {
			if end = t.key(i); end < 0 {
				return end
			}
			keys.other(t.s[i+1 : end-1])
			t.shuffled = true
		}
		if i, more = t.member(end, 2); i < 0 {
			return i
		}
	}
	if !keys.same() {
		t.setRagged(start)
	}
	return i
}

// member skips what follows a key, up to the next one.
func (t *jsonRows) member(i, depth int) (after int, more bool) {
	if i = t.colon(i); i < 0 {
		return i, false
	}
	if i = t.value(i, depth); i < 0 {
		return i, false
	}
	return t.next(i, '}')
}
