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

	"github.com/slipstream-go/slipstream/internal/pgtest"
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

// shadow is a server with those who write past it and those who read through it.
type shadow struct {
	*site
	writers []*writer
	ddl     *writer
	random  *reader
	pool    []read
	tally   shadowTally
}

// TestShadow lets programs write past the server while others read through it, stops them all, and then holds every answer
// that is kept against the one that the database gives.
func TestShadow(t *testing.T) {
	holdAgainst(t, prepare(t, shopSchema).beside(pgtest.Standby(t)), "B2", scale(4_000, 1_000_000))
}

// timeLeft is false shortly before the test is out of time (go test -timeout): what was counted by then is told.
func timeLeft(t *testing.T) bool {
	deadline, ok := t.Deadline()
	return !ok || time.Until(deadline) > 2*time.Minute
}

func holdAgainst(t *testing.T, site *site, promise string, wanted int) {
	t.Helper()
	const writers, reads = 4, 300
	seed := seedOf(t)
	s := &shadow{site: site.start()}
	s.random, s.ddl = newReader(s.site, seed, 0), newWriter(s.site, seed, 99)
	s.pool = s.random.several(reads)
	for i := range writers {
		s.writers = append(s.writers, newWriter(s.site, seed, uint64(i+1)))
	}
	tally := &s.tally
	for tally.writes < wanted && !t.Failed() && timeLeft(t) {
		paused := site.replica != nil && tally.rounds%5 == 1
		if paused { // the standby has nothing of what is written
			site.replica.Pause()
		}
		s.round()
		s.quiesce()
		tally.compare(s.site, s.pool)
		if paused {
			site.replica.Resume()
		}
		if tally.rounds%100 == 0 {
			t.Logf("%+v", tally)
		}
	}
	record(t, promise, fmt.Sprintf("%d writes in %d rounds, %d changes of the schema; %d answers compared, of them %d hits%s",
		tally.writes, tally.rounds, tally.definitions, tally.compared, tally.hits, s.filled()), tally.wrong)
	if tally.hits < tally.compared/20 {
		t.Errorf("only %d of %d answers came out of the cache: nothing was tried", tally.hits, tally.compared)
	}
}

// round has all of them work at the same time: in every third one beside a change of the schema, and in every fourth with
// commits that stall.
func (s *shadow) round() {
	const readers, stalled = 3, 15
	for range len(s.pool) / 10 { // new requests come in
		s.pool[s.random.IntN(len(s.pool))] = s.random.read()
	}
	var writing, reading sync.WaitGroup
	var over atomic.Bool
	for i := range readers {
		reading.Go(func() { keepReading(s.site, s.pool, i, &over) })
	}
	relieve, transactions := func() {}, scale(150, 1500)
	if s.tally.rounds%4 == 3 {
		relieve, transactions = stallCommits(s.site), stalled
	}
	for _, w := range s.writers {
		writing.Go(func() {
			for range transactions {
				w.transaction(s.t)
			}
		})
	}
	if s.tally.rounds%3 == 2 {
		if _, err := s.ddl.conn.Exec(context.Background(), s.named(s.ddl.definition())); err == nil { // else, there was a deadlock
			s.tally.definitions++
		}
	}
	writing.Wait()
	relieve()
	over.Store(true)
	reading.Wait()
	s.tally.rounds++
	s.tally.writes = 0
	for _, w := range s.writers {
		s.tally.writes += w.writes
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

// keepReading leaves time to those who write in the long forms, where writes are what is counted.
func keepReading(s *site, pool []read, from int, over *atomic.Bool) {
	for i := from * 97; !over.Load(); i++ {
		q := &pool[i%len(pool)]
		_, _ = s.try(q.path, q.headers...)
		if full() {
			time.Sleep(2 * time.Millisecond)
		}
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
