package limit_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/limit"
)

func key(n uint64) (k limit.Key) {
	binary.BigEndian.PutUint64(k[:], n)
	return k
}

// take charges one key of one meter.
func take(q *limit.Quotas, m *limit.Meter, k limit.Key, cost int) (limit.Charge, bool) {
	charges := []limit.Charge{{Meter: m, Key: k, Cost: cost}}
	admitted, _ := q.Take(context.Background(), charges)
	return charges[0], admitted
}

// inBubble runs one attempt in virtual time. It hands on panics, by which rapid ends attempts that lead nowhere.
func inBubble(t *testing.T, rt *rapid.T, attempt func(*rapid.T) error) {
	var ended any
	var err error
	synctest.Test(t, func(*testing.T) {
		defer func() { ended = recover() }()
		err = attempt(rt)
	})
	if ended != nil {
		panic(ended)
	}
	if err != nil {
		rt.Fatal(err)
	}
}

func drawRate(t *rapid.T, label string) limit.Rate {
	window := time.Duration(rapid.Int64Range(1_000, 5_000_000_000).Draw(t, label+" window in µs")) * time.Microsecond
	quota := rapid.IntRange(1, int(min(500, window.Microseconds()))).Draw(t, label+" quota")
	return limit.Rate{Quota: quota, Window: window, Burst: rapid.IntRange(0, 100).Draw(t, label+" burst")}
}

// used is what was admitted, and when.
type used struct {
	at   time.Time
	cost int
}

// mostIn is the most that was used in any stretch of time as long as a window.
func mostIn(all []used, window time.Duration) (most int) {
	sum, first := 0, 0
	for i := range all {
		sum += all[i].cost
		for all[i].at.Sub(all[first].at) >= window {
			sum -= all[first].cost
			first++
		}
		most = max(most, sum)
	}
	return most
}

// Whatever costs and times are, no window sees more than quota and burst. Who waits for as long as he is told is admitted,
// and who waits a microsecond less is not.
func TestNoWindowSeesMoreThanQuotaAndBurst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, func(t *rapid.T) error {
			rate := drawRate(t, "")
			q := limit.NewQuotas(limit.QuotaOptions{})
			m := q.NewMeter("m", rate, 1)
			var all []used
			for range rapid.IntRange(1, 200).Draw(t, "requests") {
				interval := rate.Window / time.Duration(rate.Quota)
				time.Sleep(time.Duration(rapid.Int64Range(0, int64(2*interval)).Draw(t, "pause")))
				cost := rapid.IntRange(1, rate.AtOnce()).Draw(t, "cost")
				c, admitted := take(q, m, key(1), cost)
				if !admitted && rapid.Bool().Draw(t, "waits") {
					time.Sleep(c.Wait() - time.Microsecond)
					if _, early := take(q, m, key(1), cost); early {
						return fmt.Errorf("admitted before %v", c.Wait())
					}
					time.Sleep(time.Microsecond)
					if c, admitted = take(q, m, key(1), cost); !admitted {
						return fmt.Errorf("refused after the time that was told, for %v more", c.Wait())
					}
				}
				if admitted {
					all = append(all, used{time.Now(), cost})
				}
				left, _ := take(q, m, key(1), c.Remaining()+1)
				if !left.Refused {
					return fmt.Errorf("%d were left, and %d could be had", c.Remaining(), c.Remaining()+1)
				}
			}
			if most := mostIn(all, rate.Window); most > rate.Quota+rate.AtOnce() {
				return fmt.Errorf("%d in %v, with quota %d and burst %d", most, rate.Window, rate.Quota, rate.AtOnce())
			}
			return nil
		})
	})
}

// quotaModel is the same by definition, one key at a time: units that come back one by one.
type quotaModel struct {
	rate limit.Rate
	free map[limit.Key]time.Time // when nothing will be owed
}

// back is the time in which units come back.
func (m *quotaModel) back(units int) time.Duration {
	quota := int64(m.rate.Quota)
	return time.Duration(units) * time.Duration((m.rate.Window.Microseconds()+quota-1)/quota) * time.Microsecond
}

func (m *quotaModel) owed(k limit.Key) time.Duration { return max(0, time.Until(m.free[k])) }

func (m *quotaModel) refuses(k limit.Key, cost int) bool {
	return m.owed(k)+m.back(cost) > m.back(m.rate.AtOnce())
}

func (m *quotaModel) use(k limit.Key, cost int) { m.free[k] = time.Now().Add(m.owed(k) + m.back(cost)) }

// Charges are decided together: what one refuses, the others are not charged for, and dry runs refuse nothing.
func TestChargesAreDecidedTogether(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, func(t *rapid.T) error {
			q := limit.NewQuotas(limit.QuotaOptions{})
			meters, models := make([]*limit.Meter, 3), make([]*quotaModel, 3)
			for i := range meters {
				rate := drawRate(t, "rate")
				meters[i], models[i] = q.NewMeter("m", rate, 0), &quotaModel{rate, map[limit.Key]time.Time{}}
			}
			for range rapid.IntRange(1, 50).Draw(t, "requests") {
				time.Sleep(time.Duration(rapid.IntRange(0, 3_000_000).Draw(t, "pause in µs")) * time.Microsecond)
				var charges []limit.Charge
				refused, want := make([]bool, 0), true
				for i, m := range meters {
					c := limit.Charge{
						Meter: m, Key: key(rapid.Uint64Range(0, 2).Draw(t, "key")), DryRun: rapid.Bool().Draw(t, "dry run"),
						Cost: rapid.IntRange(1, m.Rate().AtOnce()).Draw(t, "cost"),
					}
					charges = append(charges, c)
					refused = append(refused, models[i].refuses(c.Key, c.Cost))
					want = want && (!refused[i] || c.DryRun)
				}
				if rapid.Bool().Draw(t, "looks first") && q.Peek(charges) != want {
					return errors.New("a look says something else")
				}
				admitted, _ := q.Take(context.Background(), charges)
				for i, c := range charges {
					if c.Refused != refused[i] || admitted != want {
						return fmt.Errorf("%d: refused %v, want %v; admitted %v, want %v", i, c.Refused, refused[i], admitted, want)
					}
					if admitted && !refused[i] {
						models[i].use(c.Key, c.Cost)
					}
				}
			}
			return nil
		})
	})
}

// Charges of keys that meet in many orders neither wait for each other for ever nor use more than there is.
func TestManyAtATime(t *testing.T) {
	q := limit.NewQuotas(limit.QuotaOptions{})
	const quota, keys = 500, 3
	meters := []*limit.Meter{
		q.NewMeter("a", limit.Rate{Quota: quota, Window: 24 * time.Hour}, 0), q.NewMeter("b", limit.Rate{Quota: quota, Window: 24 * time.Hour}, 1),
	}
	var admitted [2][keys]atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 2000 {
				one, other := (g+i)%2, (i/3)%2
				charges := []limit.Charge{
					{Meter: meters[one], Key: key(uint64(i % keys)), Cost: 1}, {Meter: meters[other], Key: key(uint64((i + g) % keys)), Cost: 1},
				}
				if charges[0].Meter == charges[1].Meter && charges[0].Key == charges[1].Key {
					charges = charges[:1]
				}
				if ok, _ := q.Take(context.Background(), charges); ok {
					admitted[one][i%keys].Add(1)
					if len(charges) > 1 {
						admitted[other][(i+g)%keys].Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	for m := range meters {
		for k := range keys {
			if n := admitted[m][k].Load(); n > quota || n < quota/2 {
				t.Errorf("meter %d, key %d: %d of %d", m, k, n, quota)
			}
		}
	}
}

// A million keys that somebody makes up neither take memory nor give a key its quota back that has used it up.
func TestMadeUpKeysDisplaceNobody(t *testing.T) {
	q := limit.NewQuotas(limit.QuotaOptions{})
	m := q.NewMeter("m", limit.Rate{Quota: 3, Window: time.Hour}, 1<<12)
	const busy = 50
	for k := range uint64(busy) {
		for range 3 {
			take(q, m, key(k), 1)
		}
	}
	madeUp := uint64(1_000_000)
	if raceEnabled {
		madeUp /= 10
	}
	for k := range madeUp {
		take(q, m, key(busy+k), 1)
		if k%1000 == 0 {
			if _, admitted := take(q, m, key(k/1000%busy), 1); admitted {
				t.Fatalf("after %d made-up keys, one that has used all is admitted again", k)
			}
		}
	}
	if m.Forgotten() < madeUp*9/10 {
		t.Errorf("%d were forgotten: nothing was tried", m.Forgotten())
	}
}

// Places of keys that owe nothing any more are the first to be used again.
func TestPlacesBecomeFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := limit.NewQuotas(limit.QuotaOptions{})
		m := q.NewMeter("m", limit.Rate{Quota: 1, Window: time.Second}, 8)
		for k := range uint64(80) {
			if _, admitted := take(q, m, key(k), 1); !admitted {
				t.Error("refused at first", k)
			}
			if k%8 == 7 {
				time.Sleep(time.Second)
			}
		}
		if n := m.Forgotten(); n != 0 {
			t.Errorf("%d were forgotten for want of free places", n)
		}
	})
}

func TestNextAndRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := limit.NewQuotas(limit.QuotaOptions{})
		m := q.NewMeter("m", limit.Rate{Quota: 60, Window: time.Minute, Burst: 3}, 0)
		check := func(cost, remaining int, next, wait time.Duration) {
			t.Helper()
			c, admitted := take(q, m, key(1), cost)
			if c.Remaining() != remaining || c.Next() != next || c.Wait() != wait || admitted != (wait == 0) {
				t.Errorf("%d left, the next in %v, wait %v, %v", c.Remaining(), c.Next(), c.Wait(), admitted)
			}
		}
		check(1, 2, time.Second, 0)
		time.Sleep(400 * time.Millisecond)
		check(1, 1, 600*time.Millisecond, 0)
		check(2, 1, 600*time.Millisecond, 600*time.Millisecond)
		check(1, 0, 600*time.Millisecond, 0)
		check(3, 0, 600*time.Millisecond, 2600*time.Millisecond)
	})
}

func TestWrongRates(t *testing.T) {
	for want, r := range map[string]limit.Rate{
		"quota is missing":      {Window: time.Second},
		"window is 0s":          {Quota: 1},
		"window is 1µs":         {Quota: 1, Window: time.Microsecond},
		"window is 8784h0m1s":   {Quota: 1, Window: 8784*time.Hour + time.Second},
		"a million in a second": {Quota: 2_000_001, Window: 2 * time.Second},
		"burst is -1":           {Quota: 1, Window: time.Second, Burst: -1},
		"burst is 400":          {Quota: 1, Window: 24 * time.Hour, Burst: 400},
	} {
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "write") {
			t.Errorf("%+v: %v, want %s", r, err, want)
		}
	}
	for _, r := range []limit.Rate{{Quota: 1, Window: time.Millisecond}, {Quota: 1_000_000, Window: time.Second, Burst: 5}, {Quota: 7, Window: 8784 * time.Hour}} {
		if err := r.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func threeCharges(q *limit.Quotas) []limit.Charge {
	rate := limit.Rate{Quota: 100_000, Window: time.Second}
	return []limit.Charge{
		{Meter: q.NewMeter("a", rate, 1), Cost: 1}, {Meter: q.NewMeter("b", rate, 0), Cost: 1, Key: key(7)}, {Meter: q.NewMeter("c", rate, 0), Cost: 2, Key: key(9)},
	}
}

func TestDecisionsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	q := limit.NewQuotas(limit.QuotaOptions{})
	charges, n := threeCharges(q), uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		n++
		own := [3]limit.Charge(charges)
		own[2].Key = key(n)
		q.Peek(own[:1])
		q.Take(context.Background(), own[:])
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkTake(b *testing.B) {
	q := limit.NewQuotas(limit.QuotaOptions{})
	charges := threeCharges(q)
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs()
		own := slices.Clone(charges[1:2])
		for b.Loop() {
			q.Take(context.Background(), own)
		}
	})
	b.Run("3", func(b *testing.B) {
		b.ReportAllocs()
		own, n := slices.Clone(charges), uint64(0)
		for b.Loop() {
			n++
			own[2].Key = key(n)
			q.Take(context.Background(), own)
		}
	})
	b.Run("3 parallel", func(b *testing.B) {
		var workers atomic.Uint64
		b.RunParallel(func(pb *testing.PB) {
			own, n := slices.Clone(charges), workers.Add(1)<<32
			for pb.Next() {
				n++
				own[2].Key = key(n)
				q.Take(context.Background(), own)
			}
		})
	})
}
