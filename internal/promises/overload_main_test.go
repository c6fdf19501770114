package promises_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// Each tier has a view that takes 40 ms of a connection, and one that takes 120 ms, whatever the processor is. With four requests
// of the first to one of the second, a connection does capacity requests a second.
const (
	quick    = 0.040
	slow     = 0.120
	capacity = 5 / (4*quick + slow)
)

// ranking are the tiers, the most important first, with how many requests of each ten are theirs. At three times what the database
// can do, the first two are nine tenths of that.
func ranking() []struct {
	tier  string
	share uint64
} {
	return []struct {
		tier  string
		share uint64
	}{{"critical", 1}, {"default", 2}, {"sheddable", 3}, {"background", 4}}
}

func crowdedSchema() string {
	var sql strings.Builder
	for _, r := range ranking() {
		fmt.Fprintf(&sql, "create view crowd_%[1]s as select 1 as id, pg_sleep(%[2]v)::text as slept; create view crowd_%[1]s_slow as select 1 as id, pg_sleep(%[3]v)::text as slept;",
			r.tier, quick, slow)
	}
	return sql.String()
}

// crowded is a server without a cache, with so many connections to the database.
func crowded(t *testing.T, pool int, change ...func(*site)) *site {
	t.Helper()
	s := bare(t, crowdedSchema())
	s.exec("alter role LOGIN set log_statement = 'all'")
	s.config.CacheMode, s.config.DBPool = "off", pool
	for _, f := range change {
		f(s)
	}
	s.run()
	return s
}

// rush is a load of all tiers, whose requests have weights of 50 together, and of extra ones, and its tally. Phases have
// multiples of what the pool can do as their rates.
func (s *site) rush(timeout time.Duration, extra []scenario.Request, phases ...loadtest.Phase) (loadtest.Load, *tiers.Tally) {
	s.t.Helper()
	c := scenario.Scenario{Target: "http://" + s.Addr(), Seed: seedOf(s.t), Timeout: timeout, MaxConnections: 4000}
	for _, p := range phases {
		p.From *= capacity * float64(s.config.DBPool)
		p.To = p.From
		c.Phases = append(c.Phases, scenario.Phase{Phase: p, Connections: s.config.DBPool * closed(p)})
	}
	for _, r := range ranking() {
		c.Requests = append(c.Requests,
			scenario.Request{Path: "/crowd_" + r.tier, Group: r.tier, Weight: 4 * r.share},
			scenario.Request{Path: "/crowd_" + r.tier + "_slow", Group: r.tier, Weight: r.share})
	}
	c.Requests = append(c.Requests, extra...)
	l, err := c.Load(".", os.LookupEnv)
	if err != nil {
		s.t.Fatal(err)
	}
	tally := tiers.New(l)
	l.Each = tally.Add
	return l, tally
}

// closed is 1 for a phase without a rate, 0 for others.
func closed(p loadtest.Phase) int {
	if p.Closed() {
		return 1
	}
	return 0
}

// loaded runs a load.
func (s *site) loaded(l loadtest.Load) *loadtest.Result {
	s.t.Helper()
	res, err := loadtest.Run(s.t.Context(), l)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.Generator.Bottleneck != "" {
		s.t.Log(res.Generator.Bottleneck)
	}
	return res
}

// unanswered are the requests to which no answer came, whatever its status.
func unanswered(r *loadtest.Result) (n int) {
	for problem, count := range r.Total.Errors {
		if !strings.HasPrefix(problem, "status ") {
			n += int(count) //nolint:gosec // of some minutes
		}
	}
	return n
}

// sampled calls f ten times a second until the function that it returns is called.
func sampled(f func()) (stop func()) {
	done := make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Go(func() {
		for ticker := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-ticker.C:
				f()
			case <-done:
				ticker.Stop()
				return
			}
		}
	})
	return func() {
		close(done)
		sampling.Wait()
	}
}

// running is how many statements of the load the server's sessions have under way on the primary, as PostgreSQL sees it.
func (s *site) running(t testing.TB) (n int) {
	t.Helper()
	text := pgtest.Value(t, s.dsn, "select count(*) from pg_stat_activity where usename = $1 and wait_event = 'PgSleep'", s.login)
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Error(err)
	}
	return n
}
