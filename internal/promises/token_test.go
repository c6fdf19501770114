package promises_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

const tokenSchema = registersSchema + `; grant update on registers to ANON;
	create function put(n int, value bigint) returns void language sql as 'update api.registers set v = value where id = n'`

// carried are registers that clients count up by one of two instances and read by the other, with the tokens of the writes.
type carried struct {
	t         testing.TB
	instances [2]*site
	behind    atomic.Bool  // the second instance hears of nothing: it is read from only
	holding   sync.RWMutex // held while no write may be under way
	registers [16]struct {
		sync.Mutex
		value int    // the last that was written
		token string // of that write
	}

	mu    sync.Mutex
	tally tokenTally
}

type tokenTally struct {
	writes, reads, hits, wrong int
	older                      int // answers to reads without a token that lacked the write
}

// twice runs two instances with the same configuration but for what change does to the second.
func twice(t testing.TB, s *site, change func(*site)) *carried {
	t.Helper()
	s.config.CacheStaleness = time.Hour                    // what is too old is found out by tokens alone
	s.exec("alter role LOGIN set synchronous_commit = on") // else commits are in the log a fifth of a second later
	other := *s
	change(&other)
	s.run()
	other.run()
	s.open()
	other.open()
	return &carried{t: t, instances: [2]*site{s, &other}}
}

// client writes and reads until ctx ends.
func (g *carried) client(ctx context.Context, seed uint64, c int) {
	random := rand.New(rand.NewPCG(seed, uint64(c)))
	for n := 1; ctx.Err() == nil; n++ {
		g.write(ctx, random, 4*c+n%4, n)
		for range 32 {
			g.read(random, random.IntN(len(g.registers)))
		}
	}
}

// write sets a register that nobody else writes to, by one of the ways that there are, and tries until that is acknowledged.
func (g *carried) write(ctx context.Context, random *rand.Rand, i, value int) {
	g.holding.RLock()
	defer g.holding.RUnlock()
	instance := g.instances[0]
	if random.IntN(2) == 0 && !g.behind.Load() {
		instance = g.instances[1]
	}
	method, path, kind, body := http.MethodPatch, fmt.Sprintf("/registers?id=eq.%d", i+1), "application/json", fmt.Sprintf(`{"v": %d}`, value)
	switch random.IntN(3) {
	case 0:
		method, path, body = http.MethodPost, "/rpc/put", fmt.Sprintf(`{"n": %d, "value": %d}`, i+1, value)
	case 1:
		body = fmt.Sprintf(`{"operations": [{"method": "PATCH", "path": %q, "body": %s}]}`, path, body)
		method, path, kind = http.MethodPost, "/", "application/vnd.slipstream.batch+json"
	}
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, method, "http://"+instance.Addr()+path, strings.NewReader(body))
		if err != nil {
			g.t.Error(err)
			return
		}
		r.Header.Set("Content-Type", kind)
		response, err := instance.client.Do(r)
		if err != nil {
			continue
		}
		answered, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		token := response.Header.Get("Consistency-Token")
		switch {
		case response.StatusCode >= 500: // the database cannot be asked just now
			continue
		case response.StatusCode >= 300 || token == "":
			g.t.Errorf("%s %s: %s, token %q: %s", method, path, response.Status, token, answered)
			return
		}
		register := &g.registers[i]
		register.Lock()
		register.value, register.token = value, token
		register.Unlock()
		g.count(func(c *tokenTally) { c.writes++ })
		return
	}
}

// read asks one of the instances for a register, by its key or by what holds for all, with the token of its last write.
func (g *carried) read(random *rand.Rand, i int) {
	register := &g.registers[i]
	register.Lock()
	value, token := register.value, register.token
	register.Unlock()
	path := fmt.Sprintf("/registers?id=eq.%d&select=v", i+1)
	if random.IntN(8) == 0 {
		path = fmt.Sprintf("/registers?select=v&v=gte.0&order=id&limit=1&offset=%d", i)
	}
	instance := g.instances[random.IntN(2)]
	var headers []string
	if token != "" && random.IntN(4) > 0 {
		headers = []string{"Consistency-Token: " + token}
	}
	a, err := instance.try(path, headers...)
	var v int
	if err != nil || a.StatusCode >= 500 {
		return // the database cannot be asked just now
	}
	if _, err := fmt.Sscanf(a.body, `[{"v":%d}]`, &v); err != nil {
		g.t.Errorf("%s: %s: %s", path, a.Status, a.body)
		return
	}
	g.count(func(c *tokenTally) {
		switch {
		case headers == nil && v < value:
			c.older++
		case headers != nil:
			c.reads++
			if a.hit() {
				c.hits++
			}
			if v < value {
				c.wrong++
				g.t.Errorf("%s: %d, but the token is that of %d; %v", path, v, value, a.Header["Cache-Status"])
			}
		}
	})
}

func (g *carried) count(f func(*tokenTally)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.tally)
}

// during has clients write and read while f runs.
func (g *carried) during(seed uint64, f func()) {
	const clients = 4
	ctx, cancel := context.WithCancel(g.t.Context())
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() { g.client(ctx, seed, c) })
	}
	f()
	cancel()
	all.Wait()
}

// TestTokens writes by one instance and reads by another, whose network to the log stands still now and then.
func TestTokens(t *testing.T) {
	seed := seedOf(t)
	var network *proxy
	g := twice(t, prepare(t, tokenSchema), func(s *site) { network, s.config.CacheDBURI = through(t, s.config.DBURI) })
	stalls := scale(3, 300)
	g.during(seed, func() {
		for range stalls {
			pause(t, time.Second)
			g.holding.Lock() // what the second one writes itself it holds back until it has heard of it
			g.behind.Store(true)
			network.freeze(true)
			g.holding.Unlock()
			pause(t, time.Second)
			network.freeze(false)
			g.behind.Store(false)
		}
	})
	c := g.tally
	record(t, "B3", fmt.Sprintf("%d writes by two instances and %d reads of them by either with the token, of them %d hits; %d times one instance's feed stood still for 1 s; "+
		"of the reads without a token, %d lacked the write", c.writes, c.reads, c.hits, stalls, c.older), c.wrong)
	if c.hits < c.reads/20 || c.older == 0 {
		t.Errorf("%+v: nothing was tried", c)
	}
}

// TestTokensBesideAStandby has both instances fill their caches from a standby, whose replay stands still now and then. As
// answers may be old here, it is not left alone for that: each of its answers is looked at.
func TestTokensBesideAStandby(t *testing.T) {
	seed := seedOf(t)
	s := prepare(t, tokenSchema).beside(pgtest.Standby(t))
	g := twice(t, s, func(*site) {})
	stalls := scale(2, 100)
	g.during(seed, func() {
		for range stalls {
			pause(t, time.Second)
			s.replica.Pause()
			pause(t, time.Second)
			s.replica.Resume()
		}
	})
	c := g.tally
	record(t, "B3", fmt.Sprintf("%d writes by two instances and %d reads of them by either with the token, of them %d hits; %d times the replay of a standby "+
		"that both fill from stood still for 1 s%s", c.writes, c.reads, c.hits, stalls, s.filled()), c.wrong)
	if c.hits < c.reads/20 {
		t.Errorf("%+v: nothing was tried", c)
	}
}

// TestTokensAfterPromotion has a standby take over, also one whose replay was paused until then. All that was acknowledged
// had reached it.
func TestTokensAfterPromotion(t *testing.T) {
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprintf("paused %v", paused), func(t *testing.T) {
			seed := seedOf(t)
			s := prepare(t, tokenSchema)
			standby := pgtest.Standby(t)
			var networks [2]*proxy
			networks[0], s.config.DBURI = through(t, s.config.DBURI)
			g := twice(t, s, func(s *site) { networks[1], s.config.DBURI = through(t, s.as(s.login)) })
			after := 0
			g.during(seed, func() {
				pause(t, time.Second)
				if paused {
					standby.Pause()
				}
				pause(t, time.Second)
				g.promote(standby, networks[:])
				const slots = "select count(*) from pg_replication_slots where database = current_database() and active"
				eventually(t, "both follow the new history", func() bool { return pgtest.Value(t, standby.At(s.dsn), slots) == "2" })
				g.instances[0].open()
				g.instances[1].open()
				g.count(func(c *tokenTally) { after = c.hits })
				eventually(t, "reads with tokens are hits again", func() (again bool) {
					g.count(func(c *tokenTally) { again = c.hits > after+100 })
					return again
				})
			})
			c := g.tally
			record(t, "B3", fmt.Sprintf("a standby was promoted, its replay paused before: %v; %d writes and %d reads with tokens, of them %d hits, %d after it",
				paused, c.writes, c.reads, c.hits, c.hits-after), c.wrong)
		})
	}
}

// promote has the standby take over when it has received all that was acknowledged.
func (g *carried) promote(standby *pgtest.Replica, networks []*proxy) {
	g.t.Helper()
	g.holding.Lock()
	defer g.holding.Unlock()
	s := g.instances[0]
	s.exec("set synchronous_commit = on; select pg_logical_emit_message(true, 'last', '')")
	last := s.value("select pg_current_wal_flush_lsn()")
	eventually(g.t, "the standby has received all", func() bool {
		return pgtest.Value(g.t, standby.DSN("postgres"), "select pg_last_wal_receive_lsn() >= '"+last+"'") == "t"
	})
	standby.Promote()
	for _, n := range networks {
		n.redirect(g.t, standby.At(s.as(s.login)))
	}
}
