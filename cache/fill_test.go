package cache_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

func TestChangeDropsWhatDependsOnIt(t *testing.T) {
	c, _ := newCache(cache.Options{})
	put(t, c, key("a"), "A", upTo(0), whole(films))
	put(t, c, key("b"), "B", upTo(0), whole(actors))
	wantHit(t, c, key("a"), "A")

	c.Apply(insert(1, films, "7"))
	wantMiss(t, c, key("a"), cache.MissAbsent)
	wantHit(t, c, key("b"), "B")
	if s := c.Stats(); s.Invalidated != 1 || s.Entries != 1 {
		t.Errorf("%+v, want one entry invalidated and one left", s)
	}
}

func TestChangeThatWasSeenDropsNothing(t *testing.T) {
	c, _ := newCache(cache.Options{})
	put(t, c, key("a"), "A", upTo(5), whole(films))
	c.Apply(insert(5, films, "7"))
	wantHit(t, c, key("a"), "A")
	c.Apply(insert(6, films, "7"))
	wantMiss(t, c, key("a"), cache.MissAbsent)
}

// The log tells of a commit before it is visible: the fill reads the state of before, though the change was applied.
func TestFillRejectsWhatMissesAnAppliedChange(t *testing.T) {
	for name, stamp := range map[string]cache.Stamp{"stamp": upTo(0), "no stamp": nil} {
		t.Run(name, func(t *testing.T) {
			c, _ := newCache(cache.Options{})
			c.Apply(insert(1, films, "7"))
			wantRejected(t, c, put(t, c, key("a"), "A", stamp, whole(films)), cache.RejectChanged)
			wantMiss(t, c, key("a"), cache.MissAbsent)

			if !put(t, c, key("a"), "A", upTo(1), whole(films)).Stored() {
				t.Error("not stored, though it has seen the change")
			}
			if !put(t, c, key("b"), "B", stamp, whole(actors)).Stored() {
				t.Error("not stored, though the change does not concern it")
			}
		})
	}
}

func TestChangeDuringFill(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(0), whole(films))
	c.Apply(insert(1, films, "7"))
	wantRejected(t, c, f.End(text("A")), cache.RejectChanged)
}

func TestEachWatchHasItsStamp(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(1), whole(films))
	f.Depend(upTo(0), whole(actors))
	c.Apply(insert(1, films, "7"))
	if !f.End(text("A")).Stored() {
		t.Fatal("not stored, though the films were read with the change")
	}
	c.Apply(insert(1, actors, "7"))
	wantMiss(t, c, key("a"), cache.MissAbsent)
}

func TestForgetting(t *testing.T) {
	c, _ := newCache(cache.Options{})
	slow, _ := c.Fill(key("slow"))
	c.Apply(insert(1, films, "7"), insert(2, films, "8"))
	recent := func(want int) {
		t.Helper()
		if got := c.Status().Recent; got != want {
			t.Fatalf("%d changes are remembered, want %d", got, want)
		}
	}

	beat(c, upTo(2))
	recent(2) // the slow fill may have read before
	slow.Depend(nil, whole(films))
	wantRejected(t, c, slow.End(text("S")), cache.RejectChanged)

	early := c.Heartbeat()
	early.Returned() // before the reply that has the snapshot
	recent(2)
	early.Visible(upTo(1))
	recent(1)
	beat(c, upTo(2))
	recent(0)
	if !put(t, c, key("a"), "A", nil, whole(films)).Stored() {
		t.Error("not stored, though every change is visible to all")
	}
}

// Fills that overlap without end must not keep the changes for ever.
func TestForgettingWhileThereAreAlwaysFills(t *testing.T) {
	c, _ := newCache(cache.Options{})
	previous, _ := c.Fill(key("0"))
	c.Apply(insert(1, films, "7"))
	for i := range 3 {
		beat(c, upTo(1))
		next, _ := c.Fill(cache.KeyOf("next", strconv.Itoa(i)))
		beat(c, upTo(1))
		previous.Abandon()
		previous = next
	}
	if n := c.Status().Recent; n != 0 {
		t.Errorf("%d changes are remembered, want none", n)
	}
}

func TestStandbys(t *testing.T) {
	c, _ := newCache(cache.Options{})
	h := c.Heartbeat()
	h.Visible(upTo(9))
	c.Standbys(1)
	c.Apply(insert(1, films, "7"), insert(2, films, "8"))
	h.Returned() // made when no standby filled: what it says is too much now
	if n := c.Status().Recent; n != 2 {
		t.Fatalf("%d changes are remembered, want 2", n)
	}
	beat(c, upTo(9))
	if n := c.Status().Recent; n != 1 {
		t.Fatalf("%d changes are remembered, want the one that the standby lacks", n)
	}
	c.Standbys(2)
	beat(c, upTo(9))
	if n := c.Status().Recent; n != 0 {
		t.Fatalf("%d changes are remembered, want none", n)
	}
}

// A heartbeat that waited for a fill to end must not speak for a standby that came later.
func TestStandbyComesLater(t *testing.T) {
	c, _ := newCache(cache.Options{})
	slow, _ := c.Fill(key("slow"))
	c.Apply(insert(2, films, "8"))
	beat(c, upTo(9)) // waits for the slow fill
	c.Standbys(1)
	standby, _ := c.Fill(key("from the standby"))
	standby.Watch(films.Any())
	slow.Abandon()
	beat(c, upTo(9))
	wantRejected(t, c, standby.End(text("S")), cache.RejectChanged)
}

// A stamp must not be asked for ever: transaction ids come around.
func TestStampIsRetired(t *testing.T) {
	c, _ := newCache(cache.Options{})
	put(t, c, key("a"), "A", upTo(5), whole(films))
	beat(c, upTo(5))
	c.Apply(insert(3, films, "7")) // 2^32 transactions later
	wantMiss(t, c, key("a"), cache.MissAbsent)
}

func TestOverflow(t *testing.T) {
	c, _ := newCache(cache.Options{Recent: 4})
	for xid := range uint32(6) {
		c.Apply(insert(1+xid, films, "7"))
	}
	wantRejected(t, c, put(t, c, key("a"), "A", upTo(6), whole(films)), cache.RejectOverflow)
	if !put(t, c, key("b"), "B", upTo(6), whole(actors)).Stored() {
		t.Error("the overflow of a table closed another one")
	}
	beat(c, upTo(5))
	wantRejected(t, c, put(t, c, key("a"), "A", upTo(6), whole(films)), cache.RejectOverflow)
	beat(c, upTo(6))
	if !put(t, c, key("a"), "A", upTo(6), whole(films)).Stored() {
		t.Error("not stored, though the table is drained")
	}
}

func TestOverflowGivesUpSlowFills(t *testing.T) {
	c, _ := newCache(cache.Options{Recent: 4})
	slow, _ := c.Fill(key("slow"))
	slow.Depend(nil, whole(actors))
	c.Apply(insert(1, films, "7"), insert(2, films, "7"), insert(3, films, "7"))
	beat(c, upTo(3))
	if n := c.Status().Recent; n != 0 {
		t.Errorf("%d changes are remembered, want none", n)
	}
	wantRejected(t, c, slow.End(text("S")), cache.RejectVoided)
}

func TestOverflowWithoutHeartbeats(t *testing.T) {
	c, _ := newCache(cache.Options{Recent: 4})
	put(t, c, key("a"), "A", upTo(0), whole(actors))
	for xid := range uint32(100) {
		c.Apply(insert(1+xid, films, "7"))
	}
	if s := c.Status(); s.Mode != cache.Starting || s.Recent > 70 {
		t.Errorf("%+v, want it to have given up", s)
	}
	wantMiss(t, c, key("a"), cache.MissAbsent)
}

func TestRejects(t *testing.T) {
	c, _ := newCache(cache.Options{Budget: 1 << 20})
	wantRejected(t, c, put(t, c, key("a"), "A", upTo(0)), cache.RejectUnbounded)
	wantRejected(t, c, put(t, c, key("a"), string(make([]byte, 1<<17)), upTo(0), whole(films)), cache.RejectTooLarge)
	f, _ := c.Fill(key("a"))
	f.Abandon()
	f.Abandon()
	if n := c.Stats().Rejected[cache.RejectAbandoned]; n != 1 {
		t.Errorf("abandoned %d times, want 1", n)
	}
	wantRejected(t, c, f.End(text("A")), cache.RejectAbandoned)
}

func TestEndTwice(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(0), whole(films))
	f.End(text("A"))
	if e := f.End(text("B")); e.Stored() || e.Value() != text("B") {
		t.Error("the second value is not returned, or stored")
	}
	f.Depend(upTo(0), whole(actors))
	wantHit(t, c, key("a"), "A")
	c.Apply(insert(1, actors, "7"))
	wantHit(t, c, key("a"), "A")
	c.Apply(insert(1, films, "7"))
	wantMiss(t, c, key("a"), cache.MissAbsent)
}

func TestConcurrentMissesFillOnce(t *testing.T) {
	c, _ := newCache(cache.Options{})
	var loads atomic.Int32
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if c.Get(key("a")) != nil {
				return
			}
			f, first := c.Fill(key("a"))
			if first {
				loads.Add(1)
				f.Depend(upTo(0), whole(films))
				f.End(text("A"))
				return
			}
			if e, err := f.Wait(t.Context()); err != nil || e == nil || e.Value() != text("A") {
				t.Errorf("waited for %v, %v", e, err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newCache(cache.Options{})
		f, _ := c.Fill(key("a"))
		joined, first := c.Fill(key("a"))
		if first || joined != f {
			t.Fatal("the fill was not joined")
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := joined.Wait(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
		go f.Abandon()
		if e, err := joined.Wait(t.Context()); e != nil || err != nil {
			t.Errorf("%v, %v of an abandoned fill", e, err)
		}
		if _, first := c.Fill(key("a")); !first {
			t.Error("nobody can fill after a fill was abandoned")
		}
	})
}

// What was stored may be wrong when the waiter wakes up.
func TestWaitServesNothingWrong(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(0), whole(films))
	f.End(text("A"))
	c.Fence(5, films)
	if e, _ := f.Wait(t.Context()); e != nil {
		t.Error("served though a fence stands before it")
	}
	c.Applied(5)
	if e, _ := f.Wait(t.Context()); e == nil {
		t.Error("not served though the fence has ended")
	}
	c.Apply(insert(1, films, "7"))
	if e, _ := f.Wait(t.Context()); e != nil {
		t.Error("served after the change")
	}
}

func TestFillInContext(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	if got := cache.FillFrom(cache.WithFill(t.Context(), f)); got != f {
		t.Error("the context lost the fill")
	}
	if cache.FillFrom(t.Context()) != nil {
		t.Error("a fill from nowhere")
	}
}
