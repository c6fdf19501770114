package cache_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/cache"
)

func TestInspect(t *testing.T) {
	c, now := newCache(cache.Options{})
	if e, m := c.Inspect(key("a")); e != nil || m != cache.MissAbsent {
		t.Fatalf("nothing is kept, yet %v, %v", e, m)
	}
	watch := cache.Watch{Table: films, Side: cache.After, Columns: []cache.Column{2}, Values: []uint64{cache.HashTuple("x")},
		Terms: []cache.Term{cache.Compare{Column: 1, Op: cache.Gt, Kind: cache.Int, Values: []string{"5"}}}}
	put(t, c, key("a"), "answer", upTo(0), watch)
	now.advance(time.Millisecond)
	const hits = 3
	for range hits {
		wantHit(t, c, key("a"), "answer")
	}
	before := c.Stats()
	e, m := c.Inspect(key("a"))
	if e == nil || m != 0 {
		t.Fatalf("%v, %v", e, m)
	}
	if e.Hits() != hits || e.Age() != time.Millisecond || e.Bytes() == 0 {
		t.Errorf("%d hits, age %s, %d bytes", e.Hits(), e.Age(), e.Bytes())
	}
	if _, limited := e.Remaining(); limited {
		t.Error("has a limit")
	}
	if diff := cmp.Diff([]cache.Watch{watch}, e.Watches()); diff != "" {
		t.Error(diff)
	}
	if after := c.Stats(); after.Hits != before.Hits || after.Misses[cache.MissAbsent] != before.Misses[cache.MissAbsent] {
		t.Errorf("looking was counted: %+v, before %+v", after, before)
	}
	now.advance(time.Hour)
	if e, m := c.Inspect(key("a")); e == nil || m != cache.MissLease {
		t.Errorf("without a lease: %v, %v", e, m)
	}
}

func TestHitsOfAnEntryAreCountedAbout(t *testing.T) {
	c, _ := newCache(cache.Options{})
	e := put(t, c, key("a"), "answer", upTo(0), whole(films))
	const hits = 100_000
	for range hits {
		wantHit(t, c, key("a"), "answer")
	}
	if n := e.Hits(); n < hits*8/10 || n > hits*12/10 {
		t.Errorf("%d hits were counted as %d", hits, n)
	}
}

func TestRemaining(t *testing.T) {
	c, now := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Limit(time.Minute)
	f.End(text("answer"))
	now.advance(time.Second)
	e, _ := c.Inspect(key("a"))
	if left, limited := e.Remaining(); !limited || left != 59*time.Second {
		t.Errorf("%s, %t", left, limited)
	}
}
