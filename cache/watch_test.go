package cache_test

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/cache"
)

// spec is a watch as one would write it down naively, with the watch that is made of it.
type spec struct {
	side    cache.Side
	columns []cache.Column
	tuples  [][]string
	terms   []cache.Compare
}

func (s spec) watch() cache.Watch {
	w := cache.Watch{Table: films, Side: s.side, Columns: s.columns}
	for _, tuple := range s.tuples {
		w.Values = append(w.Values, cache.HashTuple(tuple...))
	}
	for _, term := range s.terms {
		w.Terms = append(w.Terms, term)
	}
	return w
}

func (s spec) matches(ch cache.Change) bool {
	before := s.side != cache.After && ch.Before != nil && s.matchesRow(ch.Before)
	after := s.side != cache.Before && ch.After != nil && s.matchesRow(ch.After)
	return ch.Whole || before || after
}

func (s spec) matchesRow(r cache.Row) bool {
	data := func(c cache.Column) cache.Datum { return append(r[:len(r):len(r)], make(cache.Row, 9)...)[c-1] }
	for _, term := range s.terms {
		d := data(term.Column)
		n, _ := strconv.Atoi(d.Text)
		value, _ := strconv.Atoi(term.Values[0])
		holds := map[cache.Op]bool{cache.Eq: n == value, cache.Lt: n < value, cache.Gte: n >= value}[term.Op]
		if d.State == cache.Null || d.State == cache.Known && !holds {
			return false
		}
	}
	if len(s.columns) == 0 {
		return true
	}
	tuple, unknown := []string{}, false
	for _, c := range s.columns {
		d := data(c)
		if d.State == cache.Null {
			return false
		}
		unknown = unknown || d.State == cache.Unknown
		tuple = append(tuple, d.Text)
	}
	return unknown || slices.ContainsFunc(s.tuples, func(t []string) bool { return slices.Equal(t, tuple) })
}

func drawSpec(t *rapid.T) spec {
	value := rapid.Map(rapid.IntRange(-1, 3), strconv.Itoa)
	column := rapid.Map(rapid.IntRange(1, 3), func(n int) cache.Column { return cache.Column(n) })
	s := spec{
		side:    rapid.SampledFrom([]cache.Side{cache.Either, cache.Before, cache.After}).Draw(t, "side"),
		columns: rapid.SliceOfNDistinct(column, 0, 2, rapid.ID[cache.Column]).Draw(t, "columns"),
	}
	if n := len(s.columns); n > 0 {
		s.tuples = rapid.SliceOfN(rapid.SliceOfN(value, n, n), 0, 3).Draw(t, "tuples")
	}
	s.terms = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cache.Compare {
		return cache.Compare{
			Column: column.Draw(t, "column"), Kind: cache.Int, Values: []string{value.Draw(t, "value")},
			Op: rapid.SampledFrom([]cache.Op{cache.Eq, cache.Lt, cache.Gte}).Draw(t, "op"),
		}
	}), 0, 2).Draw(t, "terms")
	return s
}

func drawRow(t *rapid.T) cache.Row {
	return rapid.Custom(func(t *rapid.T) cache.Row {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cache.Datum {
			switch state := rapid.SampledFrom([]cache.State{cache.Known, cache.Known, cache.Null, cache.Unknown}).Draw(t, "state"); state {
			case cache.Known:
				return cache.DatumOf(strconv.Itoa(rapid.IntRange(-1, 3).Draw(t, "value")))
			default:
				return cache.Datum{State: state}
			}
		}), 0, 4).Draw(t, "data")
	}).Draw(t, "row")
}

func drawChange(t *rapid.T, xid uint32) cache.Change {
	ch := cache.Change{Mark: cache.Mark{Xid: xid, LSN: uint64(xid)}, Table: films}
	switch rapid.SampledFrom([]string{"insert", "update", "update", "delete", "whole"}).Draw(t, "change") {
	case "insert":
		ch.After = drawRow(t)
	case "update":
		ch.Before, ch.After = drawRow(t), drawRow(t)
	case "delete":
		ch.Before = drawRow(t)
	case "whole":
		ch.Whole = true
	}
	return ch
}

// A change drops exactly the entries that it matches, and keeps exactly those from being stored.
func TestWatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _ := newCache(cache.Options{})
		specs := map[cache.Key][]spec{}
		fill := func(k cache.Key) bool {
			f, first := c.Fill(k)
			if !first {
				return true
			}
			for _, s := range specs[k] {
				f.Depend(nil, s.watch())
			}
			return f.End(text("A")).Stored()
		}
		matched := func(k cache.Key, ch cache.Change) bool {
			return slices.ContainsFunc(specs[k], func(s spec) bool { return s.matches(ch) })
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "entries") {
			k := key(strconv.Itoa(i))
			specs[k] = rapid.SliceOfN(rapid.Custom(drawSpec), 1, 2).Draw(t, "watches")
			if !fill(k) {
				t.Fatalf("not stored: %+v", c.Stats().Rejected)
			}
		}
		for xid := range uint32(rapid.IntRange(1, 6).Draw(t, "changes")) {
			ch := drawChange(t, xid+1)
			c.Apply(ch)
			for k, s := range specs {
				if got, want := c.Get(k) == nil, matched(k, ch); got != want {
					t.Fatalf("dropped: %t, want %t: %+v by %+v", got, want, s, ch)
				}
				if got, want := !fill(k), matched(k, ch); got != want {
					t.Fatalf("rejected: %t, want %t: %+v by %+v", got, want, s, ch)
				}
			}
			beat(c, upTo(xid+1))
			for k := range specs {
				if !fill(k) {
					t.Fatalf("not stored: %+v", c.Stats().Rejected)
				}
			}
		}
	})
}

// What is watched in too many ways is still watched.
func TestManyGroups(t *testing.T) {
	c, _ := newCache(cache.Options{})
	for i := range 200 {
		w := cache.Watch{Table: films, Columns: []cache.Column{1, cache.Column(i + 2)}, Values: []uint64{cache.HashTuple("a", "b")}}
		put(t, c, key(strconv.Itoa(i)), "A", nil, w)
	}
	wide := make(cache.Row, 300)
	for i := range wide {
		wide[i] = cache.DatumOf("b")
	}
	wide[0] = cache.DatumOf("a")
	c.Apply(cache.Change{Table: films, After: wide})
	if n := c.Stats().Entries; n != 0 {
		t.Errorf("%d entries are left, want none", n)
	}
}

// Terms are evaluated for so many entries; the rest is dropped unseen.
func TestManyTerms(t *testing.T) {
	c, _ := newCache(cache.Options{})
	const entries = 3000
	for i := range entries {
		w := cache.Watch{Table: films, Terms: []cache.Term{cache.Compare{Column: 1, Kind: cache.Int, Values: []string{strconv.Itoa(i)}}}}
		put(t, c, key(strconv.Itoa(i)), "A", nil, w)
	}
	for xid := range uint32(2) {
		c.Apply(insert(1+xid, films, "-1"))
		hits := 0
		for i := range entries {
			if c.Get(key(strconv.Itoa(i))) != nil {
				hits++
			}
		}
		if hits != 1024 {
			t.Errorf("%d entries are left after change %d, want 1024", hits, 1+xid)
		}
	}
}

// A long text is not worth remembering: it counts as unknown.
func TestLongTextOfRecentChange(t *testing.T) {
	c, _ := newCache(cache.Options{})
	long := string(make([]byte, 1000))
	change := insert(1, films, "7", long)
	c.Apply(change)
	if change.After[1].Text != long {
		t.Error("the change was changed")
	}
	if !put(t, c, key("a"), "A", nil, films.Where(1, "8")).Stored() {
		t.Error("rejected though the short column tells")
	}
	wantRejected(t, c, put(t, c, key("b"), "B", nil, films.Where(2, "short")), cache.RejectChanged)
}
