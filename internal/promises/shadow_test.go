package promises_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// seedOf is the environment's SEED, or a new one: what a test did can be repeated, but for the order in which the programs
// in it take turns.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SEED=%d", seed)
		}
	})
	return seed
}

// TestShadow lets programs write past the server while others read through it, stops them all, and then holds every answer
// that is kept against the one that the database gives.
func TestShadow(t *testing.T) {
	const writers, readers, reads = 4, 3, 300
	var (
		wanted = scale(15_000, 1_000_000)
		burst  = 150 // transactions of a writer in a round
		seed   = seedOf(t)
		s      = serve(t, shopSchema)
		some   []*writer
		out    = newReader(s, seed, 0)
		pool   = out.several(reads)
		ddl    = newWriter(s, seed, 99)
		tally  shadowTally
	)
	for i := range writers {
		some = append(some, newWriter(s, seed, uint64(i+1)))
	}
	for round := 0; tally.writes < wanted && !t.Failed(); round++ {
		for range reads / 10 { // new ones come in
			pool[out.IntN(reads)] = out.read()
		}
		var writing, reading sync.WaitGroup
		var over atomic.Bool
		for i := range readers {
			reading.Go(func() { keepReading(s, pool, i, &over) })
		}
		relieve, n := func() {}, burst
		if round%4 == 3 {
			relieve, n = stallCommits(s), burst/10
		}
		for _, w := range some {
			writing.Go(func() {
				for range n {
					w.transaction(t)
				}
			})
		}
		if round%3 == 2 {
			sql := s.named(ddl.definition())
			if _, err := ddl.conn.Exec(t.Context(), sql); err == nil {
				tally.definitions++
			}
		}
		writing.Wait()
		relieve()
		over.Store(true)
		reading.Wait()
		tally.writes = 0
		for _, w := range some {
			tally.writes += w.writes
		}
		s.quiesce()
		tally.compare(s, pool)
		tally.rounds++
		if tally.rounds%100 == 0 {
			t.Logf("%+v", tally)
		}
	}
	record(t, "B2", fmt.Sprintf("%d writes in %d rounds, %d changes of the schema; %d answers compared, of them %d hits",
		tally.writes, tally.rounds, tally.definitions, tally.compared, tally.hits), tally.wrong)
	if tally.hits < tally.compared/20 {
		t.Errorf("only %d of %d answers came out of the cache: nothing was tried", tally.hits, tally.compared)
	}
}

// stallCommits has commits wait for a standby that does not exist: they are in the log but cannot be seen. Now and then
// those that wait are let go. What it returns ends that.
func stallCommits(s *site) (relieve func()) {
	s.set("synchronous_standby_names", "nobody")
	over, done := make(chan struct{}), make(chan struct{})
	conn := s.connect()
	go func() {
		defer close(done)
		for {
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
			const letGo = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and datname = current_database()"
			if _, err := conn.Exec(context.Background(), letGo); err != nil {
				s.t.Error(err)
				return
			}
		}
	}()
	return func() {
		close(over)
		<-done
		_ = conn.Close(context.Background())
		s.set("synchronous_standby_names", "")
	}
}

func keepReading(s *site, pool []read, from int, over *atomic.Bool) {
	for i := from * 97; !over.Load(); i++ {
		q := &pool[i%len(pool)]
		_, _ = s.try(q.path, q.headers...)
	}
}

type shadowTally struct{ writes, rounds, definitions, compared, hits, wrong int }

// compare asks for everything both ways, from two clients.
func (c *shadowTally) compare(s *site, pool []read) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	for half := range 2 {
		asking.Go(func() {
			for i := half; i < len(pool); i += 2 {
				q := &pool[i]
				kept, err := s.try(q.path, q.headers...)
				if err != nil {
					s.t.Error(err)
					return
				}
				direct, err := s.try(q.path, append([]string{"Cache-Control: no-cache"}, q.headers...)...)
				if err != nil {
					s.t.Error(err)
					return
				}
				mu.Lock()
				c.compared++
				if kept.hit() {
					c.hits++
				}
				if got, want := q.same(kept), q.same(direct); got != want {
					c.wrong++
					s.t.Errorf("%s %v\n%s %s\nwant %s", q.path, q.headers, kept.Header["Cache-Status"], got, want)
				}
				mu.Unlock()
			}
		})
	}
	asking.Wait()
}
