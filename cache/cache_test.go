package cache_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

const films, actors cache.Table = 1, 2

// text is a value to be stored.
type text string

func (t text) Size() int { return len(t) }

// upTo is a stamp that has seen the transactions up to a number, in a history where they become visible in order.
type upTo uint32

func (s upTo) Saw(m cache.Mark) bool { return m.Xid <= uint32(s) }

// clock is a clock that stands still until it is told.
type clock struct{ now atomic.Int64 }

func (c *clock) read() time.Duration     { return time.Duration(c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

// newCache returns a cache that is open and has a lease, which its clock lets last.
func newCache(o cache.Options) (*cache.Cache, *clock) {
	var now clock
	o.Clock = now.read
	c := cache.New(o)
	c.Open()
	beat(c, upTo(0))
	return c, &now
}

// beat sends a heartbeat and lets it come back.
func beat(c *cache.Cache, visible cache.Stamp) {
	h := c.Heartbeat()
	h.Visible(visible)
	h.Returned()
}

func key(s string) cache.Key { return cache.KeyOf(s) }

func row(values ...string) cache.Row {
	r := make(cache.Row, len(values))
	for i, v := range values {
		r[i] = cache.DatumOf(v)
	}
	return r
}

func insert(xid uint32, table cache.Table, values ...string) cache.Change {
	return cache.Change{Mark: cache.Mark{Xid: xid, LSN: uint64(xid)}, Table: table, After: row(values...)}
}

func whole(table cache.Table) cache.Watch { return cache.Watch{Table: table} }

// put fills a key; nobody else may be filling it.
func put(t testing.TB, c *cache.Cache, k cache.Key, v string, stamp cache.Stamp, watches ...cache.Watch) *cache.Entry {
	t.Helper()
	f, first := c.Fill(k)
	if !first {
		t.Fatal("somebody else fills the key")
	}
	f.Depend(stamp, watches...)
	return f.End(text(v))
}

func wantHit(t *testing.T, c *cache.Cache, k cache.Key, want string) {
	t.Helper()
	e := c.Get(k)
	if e == nil {
		t.Fatalf("a miss, want %q; %+v", want, c.Stats())
	}
	if e.Value() != text(want) {
		t.Fatalf("%q, want %q", e.Value(), want)
	}
}

func wantMiss(t *testing.T, c *cache.Cache, k cache.Key, why cache.Miss) {
	t.Helper()
	before := c.Stats().Misses[why]
	if e := c.Get(k); e != nil {
		t.Fatalf("a hit of %q, want none: %s", e.Value(), why)
	}
	if c.Stats().Misses[why] != before+1 {
		t.Fatalf("a miss, but not because of %s: %v", why, c.Stats().Misses)
	}
}

func wantRejected(t *testing.T, c *cache.Cache, e *cache.Entry, why cache.Reject) {
	t.Helper()
	if e.Stored() {
		t.Fatalf("stored, want it rejected: %s", why)
	}
	if rejected := c.Stats().Rejected; rejected[why] == 0 {
		t.Fatalf("rejected for another reason than %s: %v", why, rejected)
	}
}
