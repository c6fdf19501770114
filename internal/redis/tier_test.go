package redis_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

func tier(t *testing.T, c *redis.Client, secret string) *redis.Tier {
	t.Helper()
	tier, err := c.Tier([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { tier.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return tier
}

func constant(b []byte) func() []byte { return func() []byte { return b } }

// keep stores an entry until it is there, however slow the machine is.
func keep(t *testing.T, to, from *redis.Tier, k cache.Key, entry []byte) {
	t.Helper()
	eventually(t, "the entry is there", func() bool {
		to.Store(k, len(entry), time.Hour, constant(entry))
		got, err := from.Load(t.Context(), k)
		return err == nil && bytes.Equal(got, entry)
	})
	eventually(t, "all are stored", func() bool { return to.Stats().Queued == 0 })
}

func do(t *testing.T, c *redis.Client, words ...string) {
	t.Helper()
	eventually(t, words[0], func() bool {
		return c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Arbitrary(words...).Build() }).Error() == nil
	})
}

// keys are the names of what is stored.
func keys(t *testing.T, c *redis.Client) (names []string) {
	t.Helper()
	eventually(t, "KEYS", func() (done bool) {
		var err error
		names, err = c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Keys().Pattern("*").Build() }).AsStrSlice()
		return err == nil
	})
	return names
}

func TestTierKeepsEntries(t *testing.T) {
	c := run(t, redistest.Start(t).URL())
	eventually(t, "it answers", works(c))
	one, same := tier(t, c, "secret"), tier(t, c, "secret")
	entry := bytes.Repeat([]byte("an entry of some length "), 1000)
	k := cache.KeyOf("a")
	keep(t, one, same, k, entry)
	one.Store(cache.KeyOf("b"), 1, time.Hour, constant(nil)) // it died
	one.Store(cache.KeyOf("c"), 1, 0, constant(entry))       // its time is over
	eventually(t, "its time is short", func() bool {
		one.Store(k, 1, 5*time.Millisecond, constant([]byte("short")))
		got, err := one.Load(t.Context(), k)
		return err == nil && got == nil
	})
	eventually(t, "nothing is left", func() bool { return one.Stats().Queued == 0 && len(keys(t, c)) == 0 })
}

// Whatever somebody does to the entries, it does not open.
func TestTierOpensNothingThatItHasNotSealed(t *testing.T) {
	c := run(t, redistest.Start(t).URL())
	eventually(t, "it answers", works(c))
	mine, others := tier(t, c, "secret"), tier(t, c, "another secret")
	k, entry := cache.KeyOf("a"), []byte("an entry that nobody else reads")
	keep(t, mine, mine, k, entry)
	name := keys(t, c)[0]
	var sealed []byte
	eventually(t, "GET", func() (done bool) {
		var err error
		sealed, err = c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Get().Key(name).Build() }).AsBytes()
		return err == nil
	})
	if bytes.Contains(sealed, entry[:8]) {
		t.Fatalf("%q", sealed)
	}
	garbled := func(what string, t2 *redis.Tier, k cache.Key) {
		t.Helper()
		eventually(t, what, func() bool {
			got, err := t2.Load(t.Context(), k)
			if err == nil {
				t.Fatalf("%s: %q", what, got)
			}
			return errors.Is(err, cache.ErrGarbled)
		})
	}
	garbled("another secret", others, k)
	set := func(value []byte) { do(t, c, "SET", name, string(value)) }
	for n := 0; n < len(sealed); n += 7 {
		set(sealed[:n])
		garbled("cut", mine, k)
		changed := bytes.Clone(sealed)
		changed[n] ^= 1
		set(changed)
		garbled("changed", mine, k)
	}
	other := cache.KeyOf("b")
	keep(t, mine, mine, other, entry)
	for _, n := range keys(t, c) {
		if n != name {
			do(t, c, "COPY", n, name, "REPLACE")
		}
	}
	garbled("moved", mine, k)
	do(t, c, "DEL", name)
	do(t, c, "LPUSH", name, "x")
	eventually(t, "a list is an error, and no outage", func() bool {
		got, err := mine.Load(t.Context(), k)
		if err == nil {
			t.Fatalf("a list: %q", got)
		}
		_, answered := rueidis.IsRedisErr(errors.Unwrap(err))
		return answered && !c.Away()
	})
}

// While the server is away nothing waits, and what would be stored is left out.
func TestTierWithoutAServer(t *testing.T) {
	server := redistest.Start(t)
	c := run(t, server.URL())
	eventually(t, "it answers", works(c))
	one := tier(t, c, "secret")
	server.Pause()
	eventually(t, "it is given up", func() bool {
		_, err := one.Load(t.Context(), cache.KeyOf("a"))
		return errors.Is(err, redis.ErrAway)
	})
	for i := range 5000 {
		one.Store(cache.KeyOf("a"), 1<<20, time.Hour, constant([]byte{byte(i)}))
	}
	if s := one.Stats(); s.Dropped < 4000 {
		t.Errorf("%+v", s)
	}
	server.Resume()
	eventually(t, "it works again", func() bool {
		one.Store(cache.KeyOf("b"), 1, time.Hour, constant([]byte("back")))
		got, err := one.Load(t.Context(), cache.KeyOf("b"))
		return err == nil && string(got) == "back"
	})
}
