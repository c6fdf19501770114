package redis_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
	"github.com/slipstream-go/slipstream/limit"
)

// day is so long that nothing comes back while a test runs.
const day = 24 * time.Hour

// instance counts as a server does that shares its counts. The timeout is one that only a dead server exceeds.
func instance(t *testing.T, server *redistest.Server, away limit.Away) (*limit.Quotas, *redis.Limits, *redis.Client) {
	t.Helper()
	const timeout = 10 * time.Second
	client := run(t, server.URL())
	shared, err := client.Limits([]byte("secret"), timeout)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		shared.Run(ctx, func() bool { return true })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	eventually(t, "it answers", works(client))
	return limit.NewQuotas(limit.QuotaOptions{Shared: shared, Away: away, Slack: timeout}), shared, client
}

// use takes one unit of each meter, and says by whom that was decided.
func use(q *limit.Quotas, k byte, meters ...*limit.Meter) (admitted bool, by limit.Source, charges []limit.Charge) {
	for _, m := range meters {
		charges = append(charges, limit.Charge{Meter: m, Key: limit.Key{k}, Cost: 1})
	}
	admitted, by = q.Take(context.Background(), charges)
	return admitted, by, charges
}

// Two instances that share admit what one would: not one request more, and not one less.
func TestTwoInstancesShareAQuota(t *testing.T) {
	server := redistest.Start(t)
	const quota, others = 100, 30
	var admitted, both atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		q, _, _ := instance(t, server, limit.UseShare)
		m, other := q.NewMeter("m", limit.Rate{Quota: quota, Window: day}, 0), q.NewMeter("other", limit.Rate{Quota: others, Window: day}, 0)
		for range 4 {
			all.Go(func() {
				for i := range quota {
					if ok, by, _ := use(q, 1, m); ok {
						admitted.Add(1)
					} else if by == limit.Fallback {
						t.Error("the server does not answer")
					}
					if i%2 == 0 { // what the other one refuses must not be charged to this
						if ok, _, _ := use(q, 1, m, other); ok {
							admitted.Add(1)
							both.Add(1)
						}
					}
				}
			})
		}
	}
	all.Wait()
	if admitted.Load() != quota || both.Load() > others {
		t.Errorf("%d and %d admitted", admitted.Load(), both.Load())
	}
}

func TestWhatOneRefusesTheOtherIsNotChargedFor(t *testing.T) {
	q, _, _ := instance(t, redistest.Start(t), limit.UseShare)
	narrow, wide := q.NewMeter("narrow", limit.Rate{Quota: 1, Window: day}, 0), q.NewMeter("wide", limit.Rate{Quota: 10, Window: day}, 0)
	use(q, 1, narrow)
	for range 5 {
		q2 := limit.Charge{Meter: narrow, Key: limit.Key{1}, Cost: 1, DryRun: true}
		charges := []limit.Charge{q2, {Meter: wide, Key: limit.Key{1}, Cost: 1}}
		if ok, by := q.Take(t.Context(), charges); !ok || by != limit.Together || !charges[0].Refused {
			t.Errorf("a dry run: %v by %v, %+v", ok, by, charges[0])
		}
		if ok, _, c := use(q, 1, narrow, wide); ok || !c[0].Refused || c[1].Refused {
			t.Errorf("%v, %+v", ok, c)
		}
	}
	if _, _, c := use(q, 1, wide); c[0].Remaining() != 10-5-1 {
		t.Errorf("%d are left", c[0].Remaining())
	}
}

// While the server is away each instance has its share of what was left, by what it heard last; and the server learns of
// that when it comes back with nothing.
func TestAQuotaOutlivesTheServer(t *testing.T) {
	server := redistest.Start(t)
	const quota = 100
	type one struct {
		q *limit.Quotas
		m *limit.Meter
	}
	var all []one
	var counts []*redis.Limits
	for range 2 {
		q, shared, _ := instance(t, server, limit.UseShare)
		all, counts = append(all, one{q, q.NewMeter("m", limit.Rate{Quota: quota, Window: day}, 0)}), append(counts, shared)
	}
	eventually(t, "both know of each other", func() bool { return counts[0].Instances() == 2 && counts[1].Instances() == 2 })
	admitted := map[byte]int{}
	try := func(k byte, n int) (by map[limit.Source]int) {
		by = map[limit.Source]int{}
		for i := range n {
			o := all[i%2]
			ok, source, _ := use(o.q, k, o.m)
			by[source]++
			if ok {
				admitted[k]++
			}
		}
		return by
	}
	try(1, 40)
	try(4, 40)
	for _, k := range []byte{1, 4} { // the first has heard of 39; of 40, as it is refused
		all[0].q.Take(t.Context(), []limit.Charge{{Meter: all[0].m, Key: limit.Key{k}, Cost: quota - 39}})
	}
	for range quota { // a key of which the second instance knows nothing
		if ok, _, _ := use(all[0].q, 2, all[0].m); ok {
			admitted[2]++
		}
	}
	server.Kill()
	by := try(1, 10)
	if by[limit.Fallback] != 10 || admitted[1] != 50 {
		t.Errorf("without the server: %v, %d admitted", by, admitted[1])
	}
	try(1, 2*quota)
	try(2, 2*quota)
	if admitted[1] != quota {
		t.Errorf("%d of %d were admitted", admitted[1], quota)
	}
	if admitted[2] != quota+quota/2 {
		t.Errorf("%d were admitted of the key that one instance did not know", admitted[2])
	}
	server.Restart()
	asked := func(o one) func() bool {
		probe := o.q.NewMeter("probe", limit.Rate{Quota: 1_000_000, Window: day}, 0)
		return func() bool { _, by, _ := use(o.q, 1, probe); return by == limit.Together }
	}
	for _, o := range all {
		eventually(t, "it is asked again", asked(o))
	}
	try(1, 2*quota)
	if admitted[1] != quota {
		t.Errorf("%d of %d were admitted, since the server has lost what it knew", admitted[1], quota)
	}
	// Who comes new hears of it from the server, which has heard it from the others.
	for _, o := range all { // which may find out only now that another connection is broken, too
		works := asked(o)
		eventually(t, "it hears of the key", func() bool {
			if !works() {
				return false
			}
			ok, by, _ := use(o.q, 4, o.m)
			if ok {
				admitted[4]++
			}
			return by == limit.Together
		})
	}
	q, _, _ := instance(t, server, limit.UseShare)
	all = []one{{q, q.NewMeter("m", limit.Rate{Quota: quota, Window: day}, 0)}}
	all = append(all, all[0])
	if by := try(4, 2*quota); by[limit.Fallback] > 0 || admitted[4] > quota || admitted[4] < quota-10 {
		t.Errorf("a new instance admits up to %d: %v", admitted[4], by)
	}
}

func TestWhatIsDoneWithoutTheServer(t *testing.T) {
	server := redistest.Start(t)
	whole, _, _ := instance(t, server, limit.UseWhole)
	closed, _, _ := instance(t, server, limit.RefuseAll)
	server.Kill()
	admitted := 0
	m := whole.NewMeter("m", limit.Rate{Quota: 10, Window: day}, 0)
	for range 20 {
		if ok, _, _ := use(whole, 1, m); ok {
			admitted++
		}
	}
	if admitted != 10 {
		t.Errorf("%d of the whole quota of 10", admitted)
	}
	if ok, by, c := use(closed, 1, closed.NewMeter("m", limit.Rate{Quota: 10, Window: day}, 0)); ok || by != limit.Closed || c[0].Refused {
		t.Errorf("closed: %v by %v", ok, by)
	}
	if ok, by := closed.Take(t.Context(), []limit.Charge{{Meter: closed.NewMeter("m", limit.Rate{Quota: 10, Window: day}, 0), Cost: 1, DryRun: true}}); !ok {
		t.Errorf("a dry run refuses, decided by %v", by)
	}
	server.Restart()
	eventually(t, "it is asked again", func() bool {
		ok, by, _ := use(closed, 2, closed.NewMeter("probe", limit.Rate{Quota: 1_000_000, Window: day}, 0))
		return ok && by == limit.Together
	})
}

// What somebody writes into the server can lift a limit or use it up. It can do no more, and ends by itself.
func TestGarbageInTheServer(t *testing.T) {
	server := redistest.Start(t)
	q, _, client := instance(t, server, limit.UseShare)
	m := q.NewMeter("m", limit.Rate{Quota: 10, Window: day, Burst: 2}, 0)
	var secretKey = limit.Key([]byte("127.0.0.1 and so"))
	charge := func() (bool, limit.Source) {
		return q.Take(t.Context(), []limit.Charge{{Meter: m, Key: secretKey, Cost: 1}})
	}
	charge()
	var name string
	for _, k := range keys(t, client) {
		if strings.Contains(k, "127") || !strings.HasPrefix(k, "slipstream:limits:{") {
			t.Errorf("a key tells of whom it is, or is not among its kind: %s", k)
		}
		if !strings.HasSuffix(k, ":instances") {
			name = k
		}
		if ttl := server.Do("PTTL", k); strings.HasPrefix(ttl, ":-") {
			t.Errorf("%s does not end by itself", k)
		}
	}
	for _, value := range []string{"", "x", "-1e300", "nan", "1e18"} {
		server.Do("SET", name, value)
		if _, by := charge(); by != limit.Together && by != limit.Local {
			t.Errorf("%q: decided by %v", value, by)
		}
	}
	server.Do("DEL", name)
	server.Do("LPUSH", name, "x")
	fresh, _, _ := instance(t, server, limit.UseShare)
	m = fresh.NewMeter("m", limit.Rate{Quota: 10, Window: day, Burst: 2}, 0)
	if ok, by := fresh.Take(t.Context(), []limit.Charge{{Meter: m, Key: secretKey, Cost: 1}}); !ok || by != limit.Fallback {
		t.Errorf("a list: %v by %v", ok, by)
	}
}
