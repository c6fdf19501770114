package request

import (
	"bytes"
	"slices"
)

// maxKeys is how many different keys of an object are told apart: more than any
// relation has columns (1600) or any function arguments (100). Of an object with
// more keys some name nothing, whichever they are.
const maxKeys = 4096

// textRange is a part of a text.
type textRange struct{ from, to int }

// keySet holds the different keys of the first row, and compares the others with them.
type keySet struct {
	text   []byte      // the keys, unescaped, one after the other
	sorted []textRange // parts of text, in their order as bytes
	full   bool        // there were more than maxKeys

	written []textRange // the keys as the first row has them, without the opening quote but with the closing one
	ranks   []int       // the place in sorted of each of written
	places  []int       // the place in written of each of sorted
	seen    []int       // for each of sorted, the last row that has the key
	scratch []byte
}

// find gives the place of a key in sorted.
func (k *keySet) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(k.sorted, key, func(r textRange, key []byte) int {
		return bytes.Compare(k.text[r.from:r.to], key)
	})
}

// add takes a key of the first row; written is where it is in s, with the closing quote.
func (k *keySet) add(s []byte, written textRange) {
	if k.written == nil {
		k.reserve()
	}
	if len(k.written) < maxKeys {
		k.written = append(k.written, written)
	}
	key := k.unescape(s[written.from : written.to-1])
	i, found := k.find(key)
	switch {
	case found:
	case len(k.sorted) == maxKeys:
		k.full = true
	default:
		from := len(k.text)
		k.text = append(k.text, key...)
		k.sorted = slices.Insert(k.sorted, i, textRange{from, len(k.text)})
	}
}

// reserve makes room for the keys of most rows.
func (k *keySet) reserve() {
	const keys, size = 16, 10
	ranges := make([]textRange, 2*keys)
	k.written, k.sorted = ranges[:0:keys], ranges[keys:keys]
	k.text = make([]byte, 0, keys*size)
}

// unescape gives what a key stands for; the next call may overwrite it.
func (k *keySet) unescape(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	k.scratch = appendUnescaped(k.scratch[:0], key)
	return k.scratch
}

// close ends the first row: others will be compared with it.
func (k *keySet) close(s []byte) {
	n := len(k.sorted)
	tables := make([]int, 2*n+len(k.written))
	k.places, k.seen, k.ranks = tables[:n], tables[n:2*n], tables[2*n:]
	for i, w := range k.written {
		rank, _ := k.find(k.unescape(s[w.from : w.to-1]))
		k.ranks[i], k.places[rank] = rank, i
	}
}

// names are the keys in their order, or nil when there are none. They share memory with each other alone.
func (k *keySet) names() []string {
	if len(k.sorted) == 0 {
		return nil
	}
	text := string(k.text)
	names := make([]string, len(k.sorted))
	for i, r := range k.sorted {
		names[i] = text[r.from:r.to]
	}
	return names
}

// rowKeys matches the keys of one row with those of the first one.
type rowKeys struct {
	*keySet
	row   int
	next  int // the one of written that is expected
	count int // different keys so far
	alien bool
}

// expected reports whether the expected key begins at i, written as in the
// first row, and gives the index after it. There is no need to look into it.
func (r *rowKeys) expected(s []byte, i int) (after int, ok bool) {
	if r.next >= len(r.written) || i >= len(s) || s[i] != '"' {
		return 0, false
	}
	w := r.written[r.next]
	after = i + 1 + w.to - w.from
	if after > len(s) || string(s[i+1:after]) != string(s[w.from:w.to]) {
		return 0, false
	}
	r.mark(r.ranks[r.next])
	return after, true
}

// other takes a key that was not the expected one.
func (r *rowKeys) other(key []byte) {
	if rank, found := r.find(r.unescape(key)); found {
		r.mark(rank)
		return
	}
	r.alien = true
}

// mark counts a key and expects the one that follows it in the first row.
func (r *rowKeys) mark(rank int) {
	if r.seen[rank] != r.row {
		r.seen[rank] = r.row
		r.count++
	}
	r.next = r.places[rank] + 1
}

// same reports whether the row had just the keys of the first one.
func (r *rowKeys) same() bool {
	return r.full || !r.alien && r.count == len(r.sorted)
}
