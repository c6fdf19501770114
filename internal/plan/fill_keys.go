package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// Shown are the rows of a level that an answer shows.
type Shown struct {
	// Keys are the values of Level.Key, for every row.
	Keys [][]string
	// Links are the values that Level.Link must have, for every row of the parent that can have rows.
	Links [][]string
	// Full is true where the level has as many rows as its limit allows, for a row of the parent.
	Full bool
	// Last are the values of Level.Order in the last row of the root, nil without rows; an element is nil for NULL.
	Last []*string
}

var errKeys = errors.New("the keys of an answer are not as planned")

// Shown reads ColumnKeys: what each of the levels shows. limits gives the number for Level.Limit; levels without one are
// never full.
func (f *Fill) Shown(keys []byte, limits func(*Arg) int64) ([]Shown, error) {
	out := make([]Shown, len(f.Levels))
	if !f.keyed {
		return out, nil
	}
	var rows any
	if len(keys) > 0 {
		d := json.NewDecoder(bytes.NewReader(keys))
		d.UseNumber()
		if err := d.Decode(&rows); err != nil {
			return nil, errors.Join(errKeys, err)
		}
	}
	r := keysReader{levels: f.Levels, out: out, limits: limits}
	if !r.rows(0, rows) {
		return nil, errKeys
	}
	return out, nil
}

type keysReader struct {
	levels []Level
	out    []Shown
	limits func(*Arg) int64
}

// rows takes the rows of a level that belong to one row of the parent.
func (r *keysReader) rows(level int, value any) bool {
	l, shown := &r.levels[level], &r.out[level]
	rows, many := value.([]any)
	switch {
	case value == nil:
		return true
	case l.node.rel != nil && !l.node.toMany():
		rows = []any{value}
	case !many:
		return false
	}
	if l.Limit != nil && int64(len(rows)) >= r.limits(l.Limit) {
		shown.Full = true
	}
	for i, row := range rows {
		values, ok := row.([]any)
		if len(l.columns)+len(l.children) == 1 {
			values, ok = []any{row}, true
		}
		if !ok || len(values) != len(l.columns)+len(l.children) || !r.row(l, shown, values, i == len(rows)-1) {
			return false
		}
	}
	return true
}

func (r *keysReader) row(l *Level, shown *Shown, values []any, last bool) bool {
	key := make([]string, len(l.Key))
	for i := range key { // the key's columns come first
		text, ok := textOf(values[i])
		if !ok {
			return false
		}
		key[i] = text
	}
	shown.Keys = append(shown.Keys, key)
	if last && l.node.rel == nil && l.Order != nil {
		shown.Last = make([]*string, len(l.Order))
		for i, o := range l.Order {
			if text, ok := textOf(values[l.at(o.Column)]); ok {
				text = canonicalDate(o.Kind, text)
				shown.Last[i] = &text
			}
		}
	}
	for i, c := range l.children {
		child := &r.levels[c]
		link := make([]string, len(child.links))
		whole := true
		for j, column := range child.links {
			text, ok := textOf(values[l.position(column)])
			whole = whole && ok // NULL joins nothing
			link[j] = text
		}
		if whole {
			r.out[c].Links = append(r.out[c].Links, link)
		}
		if !r.rows(c, values[len(l.columns)+i]) {
			return false
		}
	}
	return true
}

// at is the place of a column in the level's rows of keys.
func (l *Level) at(number int16) int {
	for i, c := range l.columns {
		if c.Number == number {
			return i
		}
	}
	return 0
}

func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// canonicalDate turns the text that a row of keys has for a date or time into the one that the server's own output has, in
// ISO style and UTC.
func canonicalDate(k Kind, text string) string {
	if k == Timestamp || k == Instant {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if k == Instant {
		text += "+00"
	}
	return text
}
