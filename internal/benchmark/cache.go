package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
)

// What the cache must reach (docs/benchmarks.md).
const (
	mostOfBare    = 1.5
	leastHits     = 0.95
	mostStaleness = 50 * time.Millisecond
)

// cached is what a side has in its answers when they come from a cache.
type cached struct{ name, value string }

// side is one of those who answer the same requests.
type side struct {
	*server
	name   string
	cached cached // empty for a side without a cache
	after  func() // called when its server has ended, or nil
}

func (s side) end() {
	s.stop()
	if s.after != nil {
		s.after()
	}
}

// hitScenario is a scenario whose answers come from caches.
type hitScenario struct {
	scenario
	encoded bool // only for the sides that keep that encoding
}

func hitScenarios() []hitScenario {
	const page = "/products?select=id,sku,name,price,stock&category_id=eq.{key}&order=price,id&limit=25"
	const leaves = "select min(category_id), least(min(category_id) + 63, max(category_id)) from shop.products"
	return []hitScenario{
		{scenario: scenario{name: "cached hit", path: page, keys: leaves}},
		{scenario: scenario{
			name: "cached hit, JWT", path: "/orders?select=id,status,placed_at&order=placed_at.desc,id&limit=10", asCustomer: true,
			keys: fmt.Sprintf("select 1, least(%d, max(id)) from shop.customers", customers),
		}},
		{scenario: scenario{
			name: "304", path: "/products?select=id,sku,name,price,stock&id=eq.{key}", keys: "select min(id), min(id) from shop.products",
			more: http.Header{"Accept": {"application/vnd.pgrst.object+json"}},
		}},
		{scenario: scenario{
			name: "cached hit, br", path: page, keys: leaves, more: http.Header{"Accept-Encoding": {"br"}},
		}, encoded: true},
	}
}

// turn is what one side did in one round.
type turn struct {
	load load
	cpu  time.Duration // for one request
}

// hits is what was measured of a scenario, by side.
type hits struct {
	scenario scenario
	sides    []string
	turns    map[string][]turn
}

// cacheRun is everything that a measurement of caches needs.
type cacheRun struct {
	options
	bed      *bed
	wrk      wrk
	dir      string
	progress io.Writer
	ours     *server // with its cache
	plain    *server // without, behind the others' caches
}

// measureCache compares answers from Slipstream's cache with those of others, and looks how true they stay.
func measureCache(ctx context.Context, o options, b *bed, progress io.Writer) (result report, err error) {
	r := &cacheRun{options: o, bed: b, progress: progress}
	if r.dir, err = os.MkdirTemp("", "slipstream-benchmark-"); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if err := os.Chmod(r.dir, 0o755); err != nil { // the others' workers are users of their own
		return result, err
	}
	if r.wrk, err = newWrk(r.dir); err != nil {
		return result, err
	}
	if _, err := command(ctx, o.program, "cache", "install", "--db-uri", b.dsn, "--for", shop.AuthenticatorRole); err != nil {
		return result, fmt.Errorf("install the feed of changes: %w", err)
	}
	if r.ours, err = startServer(ctx, o.program, b, shop.Schema, "--cache-mode=wal", "--cache-memory=256MB"); err != nil {
		return result, err
	}
	defer r.ours.stop()
	if r.plain, err = startServer(ctx, o.program, b, shop.Schema); err != nil {
		return result, err
	}
	defer r.plain.stop()
	var all []hits
	for _, sc := range hitScenarios() {
		h, err := r.hits(ctx, sc)
		if err != nil {
			return result, fmt.Errorf("%s: %w", sc.name, err)
		}
		all = append(all, h)
	}
	mix, err := r.mix(ctx)
	if err != nil {
		return result, fmt.Errorf("mixed: %w", err)
	}
	late, err := r.staleness(ctx)
	if err != nil {
		return result, fmt.Errorf("staleness: %w", err)
	}
	return cacheReport(o, r.wrk.version(ctx), all, mix, late), nil
}

// hits measures a scenario: all sides in turn, each with its cache full.
func (r *cacheRun) hits(ctx context.Context, sc hitScenario) (hits, error) {
	h := hits{scenario: sc.scenario, turns: map[string][]turn{}}
	keys, err := r.bed.keys(ctx, sc.scenario)
	if err != nil {
		return h, err
	}
	if sc.name == "304" { // who asks has the answer already
		a, err := r.plain.ask(ctx, sc.scenario, keys.low)
		if err != nil {
			return h, err
		}
		sc.more = http.Header{"Accept": sc.more["Accept"], "If-None-Match": {a.header.Get("ETag")}}
		h.scenario = sc.scenario
	}
	sides, stop, err := r.sides(ctx, sc, keys)
	if err != nil {
		return h, err
	}
	defer stop()
	for i := range r.rounds {
		for _, s := range sides {
			t, err := r.turn(ctx, s, sc.scenario, keys, i+1)
			if err != nil {
				return h, fmt.Errorf("%s: %w", s.name, err)
			}
			h.turns[s.name] = append(h.turns[s.name], t)
			fmt.Fprintf(r.progress, "%-16s round %d of %d: %-18s %7.0f/s, %5.1f µs of CPU\n", sc.name, i+1, r.rounds, s.name, t.load.rate, t.cpu.Seconds()*1e6)
		}
	}
	for _, s := range sides {
		h.sides = append(h.sides, s.name)
	}
	return h, nil
}

// sides starts who is compared, and has each answer all keys once.
func (r *cacheRun) sides(ctx context.Context, sc hitScenario, keys keyRange) (sides []side, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	ours := side{server: r.ours, name: "Slipstream", cached: cached{"Cache-Status", "Slipstream; hit"}}
	if err := fill(ctx, ours, sc.scenario, keys); err != nil {
		return nil, stop, err
	}
	bare, closeBare, err := startBare(ctx, r.ours, sc.scenario, keys)
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, closeBare)
	sides = []side{{server: bare, name: "bare net/http"}, ours}
	if sc.encoded {
		return sides, stop, nil
	}
	for _, start := range []func(context.Context, string, *server) (side, error){startNginx, startVarnish} {
		other, err := start(ctx, r.dir, r.plain)
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, other.end)
		if err := fill(ctx, other, sc.scenario, keys); err != nil {
			return nil, stop, err
		}
		sides = append(sides, other)
	}
	return sides, stop, nil
}

// fill asks for every key until the answer comes from the cache.
func fill(ctx context.Context, s side, sc scenario, keys keyRange) error {
	header := sc.header()
	header.Del("If-None-Match")
	sc.more = header
	for key := keys.low; key <= keys.high; key++ {
		last := ""
		for tries := 0; !strings.Contains(last, s.cached.value); tries++ {
			a, err := s.ask(ctx, sc, key)
			if err != nil {
				return err
			}
			if last = a.header.Get(s.cached.name); tries == 200 {
				return fmt.Errorf("%s does not keep %s: %s", s.name, sc.targetOf(key), last)
			}
			if tries > 2 {
				time.Sleep(10 * time.Millisecond) // the feed may not be there yet
			}
		}
	}
	return nil
}

func (r *cacheRun) turn(ctx context.Context, s side, sc scenario, keys keyRange, seed int) (t turn, err error) {
	before, err := s.cpu()
	if err != nil {
		return t, err
	}
	if t.load, err = r.wrk.run(ctx, s.server, sc, keys, r.seconds, seed); err != nil {
		return t, err
	}
	after, err := s.cpu()
	t.cpu = (after - before) / time.Duration(t.load.requests)
	return t, err
}
