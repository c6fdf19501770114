package cache_test

import (
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

func TestCurrent(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(*cache.Cache, *clock)
		want    bool
	}{
		"nothing":                     {func(*cache.Cache, *clock) {}, true},
		"a change that was seen":      {func(c *cache.Cache, _ *clock) { c.Apply(insert(1, films, "7")) }, true},
		"a change of something else":  {func(c *cache.Cache, _ *clock) { c.Apply(insert(2, actors, "7")) }, true},
		"a change that was not seen":  {func(c *cache.Cache, _ *clock) { c.Apply(insert(2, films, "7")) }, false},
		"a write of ours, under way":  {func(c *cache.Cache, _ *clock) { c.Fence(2) }, false},
		"a write that has come back":  {func(c *cache.Cache, _ *clock) { c.Fence(2); c.Applied(2) }, true},
		"a lease that has run out":    {func(_ *cache.Cache, now *clock) { now.advance(2 * time.Second) }, false},
		"a flush":                     {func(c *cache.Cache, _ *clock) { c.Flush() }, false},
		"a change of the schema":      {func(c *cache.Cache, _ *clock) { c.CloseStoring(""); c.Open() }, false},
		"a source that is not usable": {func(c *cache.Cache, _ *clock) { c.Suspend("") }, false},
		"a purge":                     {func(c *cache.Cache, _ *clock) { c.PurgeTable(films) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, now := newCache(cache.Options{})
			f, _ := c.Fill(key("a"))
			defer f.Abandon()
			f.Depend(upTo(1), whole(films))
			tc.happens(c, now)
			if got := f.Current(); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestCurrentByItsOwnStaleness(t *testing.T) {
	c, now := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(1), whole(films))
	f.Staleness(time.Millisecond)
	now.advance(2 * time.Millisecond)
	if f.Current() {
		t.Error("a hit would not be served any more")
	}
	f.Abandon()
}

func TestCurrentNeedsDependencies(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Limit(time.Minute)
	if f.Current() {
		t.Error("nothing is known of the answer")
	}
	f.Depend(upTo(1), whole(films))
	f.End(text("A"))
	if f.Current() {
		t.Error("the fill is over")
	}
}

// The second reading has seen what the first had not.
func TestRestart(t *testing.T) {
	c, _ := newCache(cache.Options{})
	f, _ := c.Fill(key("a"))
	f.Depend(upTo(0), whole(films), whole(actors))
	c.Apply(insert(1, films, "7"))
	if f.Current() {
		t.Error("the change was not seen")
	}
	f.Restart()
	f.Depend(upTo(1), whole(films))
	if !f.End(text("A")).Stored() {
		t.Error("not stored, though it has seen the change")
	}
	c.Apply(insert(2, actors, "7"))
	wantHit(t, c, key("a"), "A") // the first reading's dependencies are gone
}
