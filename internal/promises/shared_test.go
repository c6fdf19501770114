package promises_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipstream-go/slipstream/internal/redistest"
)

// twin is another server on the same database, with a network of its own to the feed's.
func (s *site) twin() (*site, *proxy) {
	s.t.Helper()
	twin := *s
	var network *proxy
	network, twin.config.CacheDBURI = through(s.t, s.config.DBURI)
	twin.run()
	twin.open()
	return &twin, network
}

// TestSharedShadow is TestShadow with two servers that share their answers through a Redis. Every now and then one of them
// loses what it hears of changes by, or the Redis is away for a while.
func TestSharedShadow(t *testing.T) {
	const writers, reads = 4, 200
	seed := seedOf(t)
	server := redistest.Start(t)
	s := &shadow{site: serve(t, shopSchema, func(s *site) { s.config.RedisURL = server.URL() })}
	twin, network := s.twin()
	s.random, s.ddl = newReader(s.site, seed, 0), newWriter(s.site, seed, 99)
	s.pool = s.random.several(reads)
	for i := range writers {
		s.writers = append(s.writers, newWriter(s.site, seed, uint64(i+1)))
	}
	there := shadowTally{}
	for wanted := scale(3_000, 300_000); s.tally.writes < wanted && !t.Failed() && timeLeft(t); {
		var reading sync.WaitGroup
		var over atomic.Bool
		pool := slices.Clone(s.pool)
		for i := range 2 {
			reading.Go(func() { keepReading(twin, pool, i, &over) })
		}
		trouble(s.tally.rounds, server, network)()
		s.round()
		over.Store(true)
		reading.Wait()
		s.quiesce()
		twin.quiesce()
		s.tally.compare(s.site, s.pool)
		there.compare(twin, s.pool) // which has much of what was fetched just now
	}
	one, two := s.CacheStatus().Shared, twin.CacheStatus().Shared
	record(t, "B2", fmt.Sprintf("with two servers that share answers through a Redis: %d writes in %d rounds, %d changes of the schema; %d answers compared, "+
		"of them %d hits; %d answers were taken over from the other server, %d refused since they had changed, %d as too early",
		s.tally.writes, s.tally.rounds, s.tally.definitions, s.tally.compared+there.compared, s.tally.hits+there.hits, one.Hits+two.Hits,
		one.Refused["changed"]+two.Refused["changed"], one.Refused["early"]+two.Refused["early"]), s.tally.wrong+there.wrong)
	if n := one.Hits + two.Hits; n < uint64(there.compared)/100 {
		t.Errorf("only %d answers were taken over: %+v %+v", n, one, two)
	}
}

// trouble is what happens in a round, if anything.
func trouble(round int, server *redistest.Server, network *proxy) func() {
	switch round % 6 {
	case 1:
		return network.cut
	case 3:
		return func() {
			server.Kill()
			server.Restart()
		}
	case 5:
		return func() { server.Do("FLUSHALL") }
	}
	return func() {}
}
