package cache_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/slipstream-go/slipstream/cache"
)

// heap returns the bytes that are reachable.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type bytes []byte

func (b bytes) Size() int { return cap(b) }

// However many keys there are, whatever their entries look like, the heap keeps to the budget.
func TestMemory(t *testing.T) {
	keys, budget := 1_000_000, uint64(16<<20)
	if testing.Short() || raceEnabled {
		keys, budget = 100_000, 4<<20
	}
	ids := func(n, from int) cache.Watch {
		w := cache.Watch{Table: films, Columns: []cache.Column{1}}
		for i := range n {
			w.Values = append(w.Values, cache.HashTuple(strconv.Itoa(from+i)))
		}
		return w
	}
	for name, c := range map[string]struct {
		fewer   int
		size    int
		watches func(i int) []cache.Watch
	}{
		"small":     {10, 64, func(int) []cache.Watch { return []cache.Watch{films.Any()} }},
		"rows":      {1, 500, func(i int) []cache.Watch { return []cache.Watch{ids(1, i)} }},
		"pages":     {100, 4000, func(i int) []cache.Watch { return []cache.Watch{ids(100, 100*i)} }},
		"same rows": {100, 100, func(i int) []cache.Watch { return []cache.Watch{ids(100, i%1000)} }},
		"terms": {10, 200, func(i int) []cache.Watch {
			return []cache.Watch{ids(1, i), {Table: actors, Side: cache.After, Terms: []cache.Term{
				cache.Compare{Column: 1, Op: cache.Gt, Kind: cache.Int, Values: []string{strconv.Itoa(i)}},
			}}}
		}},
		"large": {500, 100_000, func(i int) []cache.Watch { return []cache.Watch{ids(1, i)} }},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			cc, _ := newCache(cache.Options{Budget: budget})
			for i := range keys / c.fewer {
				f, _ := cc.Fill(key(strconv.Itoa(i)))
				f.Depend(upTo(0), c.watches(i)...)
				f.End(make(bytes, c.size))
			}
			s := cc.Stats()
			used := heap() - before
			t.Logf("%d entries, %d bytes weighed, %d used: %.2f of the budget", s.Entries, s.Bytes, used, float64(used)/float64(budget))
			if s.Bytes > budget || used > budget*5/4 {
				t.Errorf("%d bytes weighed, %d used; the budget is %d", s.Bytes, used, budget)
			}
			if s.Bytes < budget*3/4 {
				t.Errorf("%d bytes weighed: room is wasted", s.Bytes)
			}
			cc.Apply(cache.Change{Mark: cache.Mark{Xid: 1}, Table: films, Whole: true})
			for cc.Stats().Bytes > 0 { // many entries leave a little later
				runtime.Gosched()
			}
			if n := cc.Stats().Entries; n != 0 {
				t.Errorf("%d entries are left", n)
			}
			if left := heap() - min(before, heap()); left > budget/4 {
				t.Errorf("%d bytes are left of an empty cache", left)
			}
		})
	}
}

// Keys that are asked for once do not push out those that are asked for all the time.
func TestAdmission(t *testing.T) {
	keys := 1_000_000
	if testing.Short() || raceEnabled {
		keys = 100_000
	}
	c, _ := newCache(cache.Options{Budget: 4 << 20})
	const hot = 1000
	fill := func(k cache.Key) {
		if f, first := c.Fill(k); first {
			f.Depend(upTo(0), films.Any())
			f.End(make(bytes, 1000))
		}
	}
	hits := 0
	for i := range keys {
		for _, k := range []cache.Key{key(strconv.Itoa(i)), cache.KeyOf("hot", strconv.Itoa(i%hot))} {
			if c.Get(k) == nil {
				fill(k)
			} else {
				hits++
			}
		}
	}
	if rate := float64(hits) / float64(keys); rate < 0.95 {
		t.Errorf("%.3f of the requests for hot keys were hits", rate)
	}
}
