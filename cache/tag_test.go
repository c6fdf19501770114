package cache_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

// putTagged fills a key for a minute.
func putTagged(t testing.TB, c *cache.Cache, k cache.Key, v string, tags []cache.Table, watches ...cache.Watch) *cache.Entry {
	t.Helper()
	f, first := c.Fill(k)
	if !first {
		t.Fatal("somebody else fills the key")
	}
	f.Limit(time.Minute)
	f.Tag(tags...)
	f.Depend(upTo(0), watches...)
	return f.End(text(v))
}

// An entry with tags alone lives as long as its limit says, whatever is known of the source.
func TestTagsAreServedUntilTheLimit(t *testing.T) {
	var now clock
	c := cache.New(cache.Options{Clock: now.read})
	if e := putTagged(t, c, key("a"), "A", []cache.Table{films}); !e.Stored() || !e.Limited() {
		t.Fatalf("%+v", c.Stats().Rejected)
	}
	for _, step := range []func(){
		func() {}, func() { c.Reset("the stream is lost") }, func() { c.Suspend("for a while") }, func() { c.Fence(9, films) },
		func() { c.Apply(insert(1, films, "7")) }, func() { c.Apply(cache.Change{Table: films, Whole: true}) }, func() { now.advance(time.Second) },
	} {
		step()
		wantHit(t, c, key("a"), "A")
	}
	if age := c.Get(key("a")).Confirmed(); age != time.Second {
		t.Errorf("it is confirmed since %s, want since it was filled", age)
	}
	now.advance(time.Minute)
	wantMiss(t, c, key("a"), cache.MissExpired)
}

func TestTagsNeedALimit(t *testing.T) {
	c, _ := newCache(cache.Options{})
	for _, watches := range [][]cache.Watch{nil, {whole(films)}} {
		f, _ := c.Fill(key("a"))
		f.Tag(films)
		f.Depend(upTo(0), watches...)
		wantRejected(t, c, f.End(text("A")), cache.RejectUnbounded)
	}
}

func TestWhatDropsTags(t *testing.T) {
	for name, drop := range map[string]func(*cache.Cache){
		"Wrote":        func(c *cache.Cache) { c.Wrote(films) },
		"WroteAll":     func(c *cache.Cache) { c.Wrote() },
		"PurgeTable":   func(c *cache.Cache) { c.PurgeTable(films) },
		"PurgeRow":     func(c *cache.Cache) { c.PurgeRow(films, row("1")) },
		"Purge":        func(c *cache.Cache) { c.Purge(key("a")) },
		"Flush":        func(c *cache.Cache) { c.Flush() },
		"CloseStoring": func(c *cache.Cache) { c.CloseStoring("the schema has changed") },
		"Open":         func(c *cache.Cache) { c.Open() },
	} {
		t.Run(name, func(t *testing.T) {
			c := cache.New(cache.Options{})
			putTagged(t, c, key("a"), "A", []cache.Table{actors, films})
			c.Wrote(3)
			c.PurgeTable(3)
			wantHit(t, c, key("a"), "A")
			f, _ := c.Fill(key("b"))
			f.Limit(time.Minute)
			f.Tag(films)
			drop(c)
			wantMiss(t, c, key("a"), cache.MissAbsent)
			if e, _ := c.Late(key("a")); e != nil {
				t.Error("it is there, though it was dropped")
			}
			// A fill that began before may have read what was there before.
			if e := f.End(text("B")); e.Stored() && name != "Purge" {
				t.Error("a fill under way was stored")
			}
			if !putTagged(t, c, key("c"), "C", []cache.Table{films}).Stored() {
				t.Error("a fill that began after was not stored")
			}
		})
	}
}

// With watches, what they match drops the entry while they are followed, and writes by our own hand come that way too. After
// that the limit decides.
func TestTagsWithWatches(t *testing.T) {
	c, now := newCache(cache.Options{})
	put := func() { putTagged(t, c, key("a"), "A", []cache.Table{films}, one(films, "1")) }
	put()
	c.Wrote(films)
	c.Apply(insert(1, films, "2"))
	wantHit(t, c, key("a"), "A")
	c.Apply(insert(2, films, "1"))
	wantMiss(t, c, key("a"), cache.MissAbsent)

	beat(c, upTo(2))
	put()
	now.advance(2 * time.Second)
	wantHit(t, c, key("a"), "A") // the lease is over, the limit is not
	c.Fence(7, films)
	wantMiss(t, c, key("a"), cache.MissFence)
	c.Applied(7)
	wantHit(t, c, key("a"), "A")

	c.Reset("the stream is lost")
	wantHit(t, c, key("a"), "A")
	beat(c, upTo(9)) // of another stream: what was lost, it does not bring back
	if age := c.Get(key("a")).Confirmed(); age != 2*time.Second {
		t.Errorf("it is confirmed since %s", age)
	}
	c.Wrote(films)
	wantMiss(t, c, key("a"), cache.MissAbsent)
}

// What waits for a change of ours when the stream is lost would wait in vain.
func TestFencedTagsGoWithTheStream(t *testing.T) {
	c, _ := newCache(cache.Options{})
	putTagged(t, c, key("a"), "A", []cache.Table{films}, whole(films))
	putTagged(t, c, key("b"), "B", []cache.Table{actors}, whole(actors))
	c.Fence(7, films)
	c.Reset("the stream is lost")
	wantMiss(t, c, key("a"), cache.MissAbsent)
	wantHit(t, c, key("b"), "B")
}

// one watches for the rows whose first column has a value.
func one(table cache.Table, value string) cache.Watch { return table.Where(1, value) }

// A hit after Wrote has returned is of a reading after the write, whatever else goes on.
func TestWroteIsSeenByHits(t *testing.T) {
	const writers, readers, writes = 2, 4, 3000
	c := cache.New(cache.Options{})
	var committed, answered atomic.Int64
	var all sync.WaitGroup
	read := func(k cache.Key) {
		least := answered.Load() // what was answered to a writer before we ask, we must see
		e := c.Get(k)
		if e == nil {
			f, first := c.Fill(k)
			if !first {
				return
			}
			n := committed.Load()
			f.Limit(time.Hour)
			f.Tag(films, actors)
			f.End(number(n))
			return
		}
		if got := int64(e.Value().(number)); got < least {
			t.Errorf("a hit of %d after %d was answered", got, least)
		}
	}
	var mu sync.Mutex
	for range writers {
		all.Go(func() {
			for range writes {
				n := committed.Add(1)
				if rand.IntN(2) == 0 {
					c.Wrote(films)
				} else {
					c.Wrote()
				}
				mu.Lock()
				answered.Store(max(answered.Load(), n))
				mu.Unlock()
			}
		})
	}
	for range readers {
		all.Go(func() {
			for answered.Load() < writers*writes && !t.Failed() {
				read(key("a"))
			}
		})
	}
	all.Wait()
	if c.Stats().Hits == 0 {
		t.Log("there were no hits, so nothing was shown") // on one core the writers may come first
	}
}

type number int64

func (number) Size() int { return 8 }
