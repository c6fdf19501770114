package promises_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// history is what was written to a register whose values only grow, as its writers know it.
type history struct {
	mu     sync.Mutex
	writes []write
}

type write struct {
	value int64
	acked time.Time
}

// wrote notes a value whose COMMIT was acknowledged by now.
func (h *history) wrote(value int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, write{value, time.Now()})
}

// least is what a read that begins now must show: the greatest of the values acknowledged longer ago than age.
func (h *history) least(age time.Duration) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := time.Now().Add(-age)
	n, _ := slices.BinarySearchFunc(h.writes, before, func(w write, at time.Time) int { return w.acked.Compare(at) })
	var most int64
	for i := n - 1; i >= 0 && i > n-8; i-- { // writers may have come here out of order
		most = max(most, h.writes[i].value)
	}
	return most
}

// behind is for how long a value had been outdated at a moment.
func (h *history) behind(value int64, at time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.writes {
		if w := &h.writes[i]; w.value > value {
			return max(0, at.Sub(w.acked))
		}
	}
	return 0
}

// registers are rows with a counter each, that others count up past the server.
type registers struct {
	*site
	histories [16]history
}

// increase counts a register up until ctx ends.
func (g *registers) increase(ctx context.Context, seed uint64) {
	conn := g.connectWith([...]string{"on", "off"}[seed%2])
	random := rand.New(rand.NewPCG(seed, 7))
	for ctx.Err() == nil {
		id := 1 + random.IntN(len(g.histories))
		var v int64
		if err := conn.QueryRow(context.Background(), "update api.registers set v = v + 1 where id = $1 returning v", id).Scan(&v); err != nil {
			g.t.Error(err)
			return
		}
		g.histories[id-1].wrote(v)
		time.Sleep(time.Duration(random.IntN(8)) * time.Millisecond)
	}
}

// registerTally is what a reader has seen.
type registerTally struct {
	reads, hits, wrong int
	oldest             time.Duration // that a hit was behind
}

func (c *registerTally) add(o registerTally) {
	c.reads, c.hits, c.wrong, c.oldest = c.reads+o.reads, c.hits+o.hits, c.wrong+o.wrong, max(c.oldest, o.oldest)
}

// watch reads registers, by their key and by what holds for all, until ctx ends.
func (g *registers) watch(ctx context.Context, seed uint64) (c registerTally) {
	random := rand.New(rand.NewPCG(seed, 8))
	for ctx.Err() == nil {
		id := 1 + random.IntN(len(g.histories))
		path := fmt.Sprintf("/registers?id=eq.%d&select=v", id)
		if random.IntN(8) == 0 {
			path = fmt.Sprintf("/registers?select=v&v=gte.0&order=id&limit=1&offset=%d", id-1)
		}
		least, began := g.histories[id-1].least(staleness), time.Now()
		a, err := g.try(path)
		if err != nil {
			g.t.Error(err)
			return c
		}
		v, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(a.body, `[{"v":`), "}]"), 10, 64)
		if err != nil {
			continue // the database cannot be asked just now
		}
		c.reads++
		if a.hit() {
			c.hits++
			c.oldest = max(c.oldest, g.histories[id-1].behind(v, began))
		}
		if v < least {
			c.wrong++
			g.t.Errorf("%s: %d, but %d was acknowledged longer than %v before; %v", path, v, least, staleness, a.Header["Cache-Status"])
		}
	}
	return c
}

// during has writers count registers up, and four readers watch them, while something is done.
func (g *registers) during(writers int, do func()) (all registerTally) {
	g.t.Helper()
	seed := seedOf(g.t)
	ctx, cancel := context.WithCancel(g.t.Context())
	var counting, reading sync.WaitGroup
	for i := range writers {
		counting.Go(func() { g.increase(ctx, seed+uint64(i)) })
	}
	var mu sync.Mutex
	for i := range 4 {
		reading.Go(func() {
			c := g.watch(ctx, seed+uint64(i))
			mu.Lock()
			defer mu.Unlock()
			all.add(c)
		})
	}
	do()
	cancel()
	counting.Wait()
	reading.Wait()
	if all.hits < all.reads/20 {
		g.t.Errorf("only %d of %d reads were hits: nothing was tried", all.hits, all.reads)
	}
	return all
}

// TestRegisters reads counters while others count them up, over a network that stands still now and then for longer than
// answers may be old: then the cache must not be asked.
func TestRegisters(t *testing.T) {
	readRegisters(t, prepare(t, registersSchema).beside(pgtest.Standby(t)), "B1")
}

func readRegisters(t *testing.T, s *site, promise string) {
	t.Helper()
	network, through := through(t, s.config.DBURI)
	s.config.CacheDBURI = through
	s.start()
	g := &registers{site: s}
	stalls := scale(2, 60)
	all := g.during(4, func() {
		for range stalls {
			pause(t, 2*time.Second)
			network.freeze(true)
			pause(t, 2*time.Second)
			network.freeze(false)
			s.open()
		}
	})
	writes := 0
	for i := range g.histories {
		writes += len(g.histories[i].writes)
	}
	record(t, promise, fmt.Sprintf("%d commits to 16 registers, %d reads, of them %d hits%s; %d times the feed's network stood still for 2 s; "+
		"the oldest hit was %v behind", writes, all.reads, all.hits, s.filled(), stalls, all.oldest.Round(time.Millisecond)), all.wrong)
}

// TestOwnWrites counts registers up through the server, and reads each right after the answer, while the feed's network
// stands still now and then: who has seen his write acknowledged must never see what was there before.
func TestOwnWrites(t *testing.T) {
	readOwnWrites(t, prepare(t, ownWritesSchema).beside(pgtest.Standby(t)), "Own writes")
}

const ownWritesSchema = registersSchema + ";grant update on registers to ANON; " +
	"create function up(n int) returns bigint language sql as 'update api.registers set v = v + 1 where id = n returning v';"

func readOwnWrites(t *testing.T, s *site, promise string) {
	t.Helper()
	const clients = 4
	network, through := through(t, s.config.DBURI)
	s.config.CacheDBURI = through
	s.start()
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	var mu sync.Mutex
	var all registerTally
	for c := range clients {
		writing.Go(func() {
			tally := ownWrites(ctx, s, c)
			mu.Lock()
			defer mu.Unlock()
			all.add(tally)
		})
	}
	for range scale(2, 60) {
		pause(t, time.Second)
		network.freeze(true)
		pause(t, 500*time.Millisecond)
		network.freeze(false)
	}
	cancel()
	writing.Wait()
	record(t, promise, fmt.Sprintf("%d reads right after writes through the server, and again; %d of them were hits%s", all.reads, all.hits, s.filled()), all.wrong)
}

// ownWrites has registers of its own, and asks for each before the write, after it and once more.
func ownWrites(ctx context.Context, s *site, c int) (tally registerTally) {
	var values [4]int
	for n := 0; ctx.Err() == nil; n++ {
		i := n % len(values)
		path := fmt.Sprintf("/registers?id=eq.%d&select=v", 1+4*c+i)
		s.get(path)
		values[i]++
		method, target, body := http.MethodPatch, fmt.Sprintf("/registers?id=eq.%d", 1+4*c+i), fmt.Sprintf(`{"v": %d}`, values[i])
		if n%3 == 0 {
			method, target, body = http.MethodPost, "/rpc/up", fmt.Sprintf(`{"n": %d}`, 1+4*c+i)
		}
		r, err := http.NewRequest(method, "http://"+s.Addr()+target, strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := s.client.Do(r)
		if err != nil {
			s.t.Error(err)
			return tally
		}
		_ = response.Body.Close()
		if response.StatusCode >= 300 {
			s.t.Errorf("%s %s: %s", method, target, response.Status)
			return tally
		}
		for range 3 {
			a := s.get(path)
			tally.reads++
			if a.hit() {
				tally.hits++
			}
			if want := fmt.Sprintf(`[{"v":%d}]`, values[i]); a.body != want {
				tally.wrong++
				s.t.Errorf("%s: %s, but %s was written; %v", path, a.body, want, a.Header["Cache-Status"])
			}
		}
	}
	return tally
}

// pause lets the programs of a test run for a while.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}
