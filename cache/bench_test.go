package cache_test

import (
	"strconv"
	"testing"

	"github.com/slipstream-go/slipstream/cache"
)

func TestGetAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	c := cache.New(cache.Options{})
	c.Open()
	put(t, c, key("a"), "A", nil, films.Any())
	for name, k := range map[string]cache.Key{"hit": key("a"), "miss": key("b")} {
		if n := testing.AllocsPerRun(1000, func() {
			c.Heartbeat().Returned()
			c.Get(k)
		}) - testing.AllocsPerRun(1000, func() { c.Heartbeat().Returned() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if s := c.Stats(); s.Hits < 1000 {
		t.Errorf("%+v: no hits", s)
	}
}

func benchCache(entries int, tier cache.Tier) (*cache.Cache, []cache.Key) {
	c := cache.New(cache.Options{Budget: 1 << 30, Staleness: 1 << 60, Tier: tier})
	c.Open()
	c.Heartbeat().Returned()
	keys := make([]cache.Key, entries)
	for i := range keys {
		keys[i] = key(strconv.Itoa(i))
		f, _ := c.Fill(keys[i])
		f.Depend(upTo(0), films.Where(1, strconv.Itoa(i)))
		f.End(make(bytes, 1000))
	}
	return c, keys
}

func BenchmarkGet(b *testing.B) {
	c, keys := benchCache(10_000, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if c.Get(keys[i%len(keys)]) == nil {
				b.Error("a miss")
				return
			}
		}
	})
}

// BenchmarkApply applies updates of rows of which none, and of which each, is in an entry of 100,000; and those of none with
// traces for a tier.
func BenchmarkApply(b *testing.B) {
	for name, with := range map[string]struct {
		related bool
		tier    cache.Tier
	}{"unrelated": {}, "related": {related: true}, "traced": {tier: &shelf{}}} {
		related := with.related
		b.Run(name, func(b *testing.B) {
			const entries = 100_000
			c, keys := benchCache(entries, with.tier)
			beatAs(c, 1)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				id := strconv.Itoa(i % entries)
				if !related {
					id = "x" + id
				}
				mark := cache.Mark{Xid: uint32(i + 1), LSN: uint64(i + 1)}
				c.Apply(cache.Change{Mark: mark, Table: films, Before: row(id), After: row(id, "title")})
				if related {
					b.StopTimer()
					put(b, c, keys[i%entries], "A", upTo(i+1), films.Where(1, id))
					b.StartTimer()
				}
				if i%1000 == 0 {
					beat(c, upTo(i+1))
				}
			}
		})
	}
}

func BenchmarkFill(b *testing.B) {
	for _, rows := range []int{1, 100} {
		b.Run(strconv.Itoa(rows)+" rows", func(b *testing.B) {
			c, keys := benchCache(10_000, nil)
			ids := make([]string, rows)
			for i := range ids {
				ids[i] = strconv.Itoa(i)
			}
			w := films.Where(1, ids...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.Purge(keys[i%len(keys)])
				put(b, c, keys[i%len(keys)], "A", upTo(0), w)
			}
		})
	}
}
