package promises_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/redistest"
)

// TestRegistersThroughALeader reads counters from a server that has no replication slot of its own but follows another one,
// while others count them up, and all that lies between the two stands still or breaks in turn.
func TestRegistersThroughALeader(t *testing.T) {
	redis := redistest.Start(t)
	s := prepare(t, registersSchema)
	s.config.RedisURL, s.config.CacheSlots = redis.URL(), 1
	leader := *s
	network, through := through(t, s.config.DBURI)
	leader.config.CacheDBURI = through
	leader.run()
	leader.open()
	s.run()
	s.open()
	follows := func() bool { return strings.HasPrefix(s.CacheStatus().Feed, "follows slipstream_") }
	if !follows() {
		t.Errorf("the feed %s", s.CacheStatus().Feed)
	}
	g := &registers{site: s}
	outages := []struct {
		begin, end func()
		what       string
	}{
		{func() { network.freeze(true) }, func() { network.freeze(false) }, "the leader's network stands still"},
		{redis.Kill, redis.Restart, "redis is lost"},
		{redis.Pause, redis.Resume, "redis stands still"},
		{network.cut, func() {}, "the leader's connections break"},
	}
	outages = outages[:scale(2, len(outages))]
	rounds := scale(1, 15)
	all := g.during(2, func() {
		for range rounds {
			for _, o := range outages {
				pause(t, staleness)
				o.begin()
				pause(t, 3*staleness/2)
				o.end()
				s.open()
				hits := s.CacheStatus().Hits
				eventually(t, "answers come out of the cache after "+o.what, func() bool { return s.CacheStatus().Hits > hits })
			}
		}
		eventually(t, "it follows", follows)
	})
	record(t, "B1", fmt.Sprintf("the same through another server's slot and Redis: %d reads, of them %d hits; %d outages of %d kinds; the oldest hit was %v behind",
		all.reads, all.hits, rounds*len(outages), len(outages), all.oldest.Round(time.Millisecond)), all.wrong)
}
