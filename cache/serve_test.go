package cache_test

import (
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

func TestLease(t *testing.T) {
	c, now := newCache(cache.Options{})
	put(t, c, key("a"), "A", upTo(0), whole(films))
	f, _ := c.Fill(key("slow"))
	f.Staleness(3 * time.Second)
	f.Depend(upTo(0), whole(films))
	f.End(text("S"))

	now.advance(time.Second)
	wantHit(t, c, key("a"), "A")
	now.advance(1)
	wantMiss(t, c, key("a"), cache.MissLease)
	wantHit(t, c, key("slow"), "S")

	h := c.Heartbeat()
	now.advance(time.Second)
	h.Returned() // what counts is when it was sent
	wantHit(t, c, key("a"), "A")
	now.advance(1)
	wantMiss(t, c, key("a"), cache.MissLease)
	wantHit(t, c, key("slow"), "S")
}

func TestNothingIsServedBeforeTheFirstHeartbeat(t *testing.T) {
	c := cache.New(cache.Options{})
	c.Open()
	put(t, c, key("a"), "A", upTo(0), whole(films))
	wantMiss(t, c, key("a"), cache.MissLease)
	beat(c, upTo(0))
	wantHit(t, c, key("a"), "A")
}

func TestFence(t *testing.T) {
	c, _ := newCache(cache.Options{})
	put(t, c, key("a"), "A", upTo(0), whole(films))
	put(t, c, key("b"), "B", upTo(0), whole(actors))

	c.Fence(10, films)
	wantMiss(t, c, key("a"), cache.MissFence)
	wantHit(t, c, key("b"), "B")
	c.Applied(9)
	wantMiss(t, c, key("a"), cache.MissFence)
	c.Applied(10)
	wantHit(t, c, key("a"), "A")

	c.Fence(10, films) // has come back before the writer got here
	wantHit(t, c, key("a"), "A")
	c.Fence(20)
	wantMiss(t, c, key("b"), cache.MissFence)
	c.Flush()
	put(t, c, key("b"), "B", upTo(0), whole(actors)) // perhaps from a standby that has not seen the write
	wantMiss(t, c, key("b"), cache.MissFence)
	c.Applied(20)
	wantHit(t, c, key("b"), "B")
}

func TestModes(t *testing.T) {
	c, _ := newCache(cache.Options{})
	fill := func() *cache.Entry { return put(t, c, key("a"), "A", upTo(0), whole(films)) }
	fill()

	c.Suspend("maintenance")
	wantMiss(t, c, key("a"), cache.MissClosed)
	if s := c.Status(); s.Mode != cache.Suspended || s.Reason != "maintenance" {
		t.Errorf("%+v", s)
	}
	c.Open()
	wantHit(t, c, key("a"), "A")

	c.Flush()
	wantMiss(t, c, key("a"), cache.MissAbsent)
	fill()
	wantHit(t, c, key("a"), "A")

	c.CloseStoring("the schema changed")
	wantRejected(t, c, fill(), cache.RejectClosed)
	c.Suspend("maintenance") // does not make it forget that it was closed
	during, _ := c.Fill(key("a"))
	during.Depend(upTo(0), whole(films))
	c.Open()
	wantRejected(t, c, during.End(text("of before")), cache.RejectVoided)
	fill()
	wantHit(t, c, key("a"), "A")
	if n := c.Stats().Entries; n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

func TestReset(t *testing.T) {
	c, _ := newCache(cache.Options{})
	put(t, c, key("a"), "A", upTo(0), whole(films))
	c.Apply(insert(9, actors, "1"))
	c.Applied(1000)
	old := c.Heartbeat()
	old.Visible(upTo(0))

	c.Reset("slot lost")
	if s := c.Status(); s.Mode != cache.Starting || s.Reason != "slot lost" || s.Recent != 0 || s.Lease != -1 {
		t.Errorf("%+v", s)
	}
	c.Open()
	old.Returned()
	put(t, c, key("a"), "A", upTo(0), whole(films), whole(actors))
	wantMiss(t, c, key("a"), cache.MissLease)
	beat(c, upTo(0))
	wantHit(t, c, key("a"), "A")
	c.Fence(500) // positions of the new history may be lower
	wantMiss(t, c, key("a"), cache.MissFence)
}

func TestFlushVoidsFillsUnderWay(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(0), whole(films))
	c.Flush()
	if _, first := c.Fill(key("a")); !first {
		t.Error("a caller was made to wait for what will not be stored")
	}
	wantRejected(t, c, f.End(text("A")), cache.RejectVoided)
}

func TestPurge(t *testing.T) {
	c, _ := newCache(cache.Options{})
	byID := func(id string) cache.Watch {
		return cache.Watch{Table: films, Columns: []cache.Column{1}, Values: []uint64{cache.HashTuple(id)}}
	}
	refill := func() {
		t.Helper()
		c.Flush()
		put(t, c, key("7"), "seven", upTo(0), byID("7"))
		put(t, c, key("8"), "eight", upTo(0), byID("8"))
		put(t, c, key("all"), "all", upTo(0), whole(films))
		put(t, c, key("b"), "B", upTo(0), whole(actors))
	}
	want := func(keys ...string) {
		t.Helper()
		got := 0
		for _, k := range []string{"7", "8", "all", "b"} {
			if c.Get(key(k)) != nil {
				got++
			}
		}
		for _, k := range keys {
			if c.Get(key(k)) == nil {
				t.Errorf("%s is gone", k)
			}
		}
		if got != len(keys) || c.Stats().Entries != len(keys) {
			t.Errorf("%d entries are served, %d there, want %v", got, c.Stats().Entries, keys)
		}
	}

	refill()
	c.Purge(key("7"))
	want("8", "all", "b")
	refill()
	c.PurgeRow(films, row("7"))
	want("8", "b")
	refill()
	f, _ := c.Fill(key("f"))
	f.Depend(upTo(0), whole(films))
	c.PurgeTable(films)
	want("b")
	wantRejected(t, c, f.End(text("F")), cache.RejectVoided)
	refill()
	c.PurgeAll()
	want()

	f, _ = c.Fill(key("7"))
	f.Depend(upTo(0), byID("7"))
	c.Purge(key("7"))
	if f.End(text("seven")).Stored() {
		t.Error("a fill outlived the purge of its key")
	}
}

func TestLimit(t *testing.T) {
	c, now := newCache(cache.Options{})
	fill := func(cost time.Duration) {
		f, first := c.Fill(key("a"))
		if !first {
			t.Fatal("somebody else fills")
		}
		f.Limit(time.Hour)
		f.Limit(time.Minute)
		now.advance(cost)
		f.End(text("A"))
	}
	fill(0)
	c.CloseStoring("a source that this entry does not come from")
	fill(0)
	now.advance(time.Minute - 1)
	wantHit(t, c, key("a"), "A") // a fill that costs nothing is not made early
	now.advance(1)
	wantMiss(t, c, key("a"), cache.MissExpired)

	fill(10 * time.Second)
	now.advance(50 * time.Second) // each caller fills anew with a probability of 1/e
	hits, early := 0, 0
	for range 1000 {
		if c.Get(key("a")) != nil {
			hits++
		} else {
			early++
		}
	}
	if hits == 0 || early == 0 {
		t.Errorf("%d hits and %d early misses, want some of both", hits, early)
	}
	fill(0) // though the entry is there
	if age := c.Get(key("a")).Age(); age != 0 {
		t.Errorf("an entry of age %s", age)
	}
}

func TestResize(t *testing.T) {
	c, _ := newCache(cache.Options{Budget: 1 << 20})
	e := put(t, c, key("a"), "A", upTo(0), whole(films))
	before := c.Stats().Bytes
	e.Resize(1001)
	if got := c.Stats().Bytes; got != before+1000 {
		t.Errorf("%d bytes after %d, want 1000 more", got, before)
	}
	wantHit(t, c, key("a"), "A")
	c.Apply(insert(1, films, "7"))
	wantMiss(t, c, key("a"), cache.MissAbsent)
	e.Resize(2000)
	wantMiss(t, c, key("a"), cache.MissAbsent)

	e = put(t, c, key("a"), "A", upTo(1), whole(films))
	e.Resize(1 << 20)
	wantMiss(t, c, key("a"), cache.MissAbsent)
}
