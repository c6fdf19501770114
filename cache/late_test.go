package cache_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

func TestLate(t *testing.T) {
	var now clock
	c := cache.New(cache.Options{Clock: now.read})
	f, _ := c.Fill(key("a"))
	f.Limit(time.Minute)
	f.Tag(films)
	f.Grace(time.Second, time.Hour)
	f.End(text("A"))
	for _, step := range []struct{ wait, late time.Duration }{{0, -time.Minute}, {time.Minute, 0}, {time.Hour, time.Hour}} {
		now.advance(step.wait)
		e, late := c.Late(key("a"))
		if e == nil || late != step.late {
			t.Fatalf("%v, %s, want %s", e, late, step.late)
		}
		if revalidate, ifError := e.Grace(); revalidate != time.Second || ifError != time.Hour {
			t.Errorf("%s, %s", revalidate, ifError)
		}
	}
	wantMiss(t, c, key("a"), cache.MissExpired)
	if s := c.Stats(); s.Entries != 1 || s.Bytes == 0 || s.Hits != 0 {
		t.Errorf("an entry after its time counts in the budget, and Late counts nothing: %+v", s)
	}
	if !putTagged(t, c, key("a"), "B", []cache.Table{films}).Stored() {
		t.Fatal("it cannot be filled anew")
	}
	wantHit(t, c, key("a"), "B")

	// What nothing but a change ends is never late, nor is what its lease keeps from being served.
	open, later := newCache(cache.Options{})
	put(t, open, key("a"), "A", upTo(0), whole(films))
	g, _ := open.Fill(key("b"))
	g.Limit(time.Second)
	g.Depend(upTo(0), whole(films))
	g.End(text("B"))
	later.advance(time.Minute)
	for _, k := range []string{"a", "b"} {
		if e, _ := open.Late(key(k)); e != nil {
			t.Errorf("%s is late", k)
		}
	}
}

// Entries whose time is over do not stay when others need the room.
func TestLateEntriesMakeRoom(t *testing.T) {
	var now clock
	c := cache.New(cache.Options{Clock: now.read, Budget: 64 << 10})
	for i := range 1000 {
		f, _ := c.Fill(cache.KeyOf(string(rune(i))))
		f.Limit(time.Nanosecond)
		f.Tag(films)
		f.Grace(time.Hour, time.Hour)
		f.End(text(make([]byte, 1000)))
		now.advance(time.Second)
	}
	if s := c.Stats(); s.Bytes > 64<<10 || s.Evicted == 0 {
		t.Errorf("%+v", s)
	}
}

// All who miss when the limit passes get what one of them fills, those too who come to it when that is over.
func TestHerdAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := cache.New(cache.Options{Clock: func() time.Duration { return time.Since(began) + 1 }})
		var fills atomic.Int64
		ask := func(delay time.Duration) {
			if c.Get(key("a")) != nil {
				return
			}
			time.Sleep(delay)
			f, first := c.Fill(key("a"))
			if !first {
				if e, err := f.Wait(t.Context()); e == nil || err != nil {
					t.Errorf("%v, %v", e, err)
				}
				return
			}
			fills.Add(1)
			time.Sleep(time.Second) // of reading the source
			f.Limit(time.Minute)
			f.Tag(films)
			f.End(text("A"))
		}
		for round := int64(1); round <= 3; round++ {
			var herd sync.WaitGroup
			for i := range 100 {
				herd.Go(func() { ask(time.Duration(i) * 20 * time.Millisecond) })
			}
			herd.Wait()
			if n := fills.Load(); n != round {
				t.Fatalf("%d fills after %d times", n, round)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// Whoever is chosen to fill before the limit does, while others still hit.
func TestChosenEarly(t *testing.T) {
	var now clock
	c := cache.New(cache.Options{Clock: now.read})
	f, _ := c.Fill(key("a"))
	now.advance(time.Hour) // so long did the reading take
	f.Limit(time.Minute)
	f.Tag(films)
	f.End(text("A"))
	for c.Get(key("a")) != nil {
	}
	if c.Stats().Misses[cache.MissEarly] != 1 {
		t.Fatalf("%+v", c.Stats().Misses)
	}
	if e, late := c.Late(key("a")); e == nil || late >= 0 {
		t.Errorf("%v, %s", e, late)
	}
	g, first := c.Fill(key("a"))
	if !first {
		t.Fatal("it is not to be filled anew")
	}
	g.Limit(time.Minute)
	g.Tag(films)
	g.End(text("B"))
	if _, first := c.Fill(key("a")); first {
		t.Error("who was chosen, too, fills once more")
	}
}
