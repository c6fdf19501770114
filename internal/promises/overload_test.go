package promises_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// The phases of TestOverload.
const (
	peakPhase = iota
	normalPhase
	overloadPhase
	afterPhase
)

// TestOverload sends three times as much as the database can do. Who is refused has cost the database nothing, the less important
// are refused first, and nobody is left without an answer.
func TestOverload(t *testing.T) {
	pgtest.Server(t)
	s := crowded(t, scale(4, 10), prioritized)
	long := time.Duration(scale(1, 20))
	l, tally := s.rush(30*time.Second, nil,
		loadtest.Phase{Name: "peak", Duration: 2 * time.Second * min(long, 5)},
		loadtest.Phase{Name: "normal", Duration: 2 * time.Second * long, From: 0.5},
		loadtest.Phase{Name: "overload", Duration: 6 * time.Second * long * time.Duration(scale(1, 5)), From: 3},
		loadtest.Phase{Name: "after", Duration: 2 * time.Second * long, From: 0.5})
	before, most := executions(t, `"crowd_`), 0
	stop := sampled(func() { most = max(most, s.running(t)) })
	res := s.loaded(l)
	stop()
	over := tally.All(overloadPhase)
	ran, right := executions(t, `"crowd_`)-before, int(res.Total.Good+res.Phases[peakPhase].Good)
	wrong := s.overloadWrongs(tally, res, ran-right, most)
	if over.Refused.TotalCount() == 0 {
		t.Error("nobody was refused: nothing was tried")
	}
	if full() {
		wrong += overloadTimes(t, tally)
	}
	record(t, "A3", fmt.Sprintf("%v of 3 × what %d connections can do: %d requests, of them %d answered, %d refused (p99 %v); %.0f right answers a second, at the peak %.0f; "+
		"answered of the tiers%s; p99 of the critical tier %v, in normal times %v; at most %d statements at a time",
		l.Phases[overloadPhase].Duration, s.config.DBPool, over.Sent, over.Right.TotalCount(), over.Refused.TotalCount(), rounded(tiers.Quantile(over.Refused, 0.99)),
		tally.Goodput(overloadPhase), tally.Goodput(peakPhase), shares(tally), rounded(tiers.Quantile(tally.Of(overloadPhase, 0).Right, 0.99)),
		rounded(tiers.Quantile(tally.Of(normalPhase, 0).Right, 0.99)), most), wrong)
}

// overloadWrongs are what no machine is too slow for. needless are statements that were run for those who were refused.
func (s *site) overloadWrongs(tally *tiers.Tally, res *loadtest.Result, needless, most int) (wrong int) {
	s.t.Helper()
	if n := unanswered(res); n > 0 {
		wrong += n
		s.t.Errorf("%d requests got no answer: %v", n, res.Total.Errors)
	}
	if needless > 0 {
		wrong += needless
		s.t.Errorf("%d statements were run for requests that were refused", needless)
	}
	if most > s.config.DBPool {
		wrong++
		s.t.Errorf("%d statements at a time, with %d connections", most, s.config.DBPool)
	}
	const few, wide = 10, 0.5 // requests of each tier in a second, and a difference that is not chance
	for i, d := range tally.Disorders(overloadPhase, few) {
		if i >= 2 && d > wide { // by then it is known what the database can do
			wrong++
			s.t.Errorf("in second %d of the overload, a tier was answered %.0f %% more rarely than a less important one", i, 100*d)
		}
	}
	if d := tally.Disorder(overloadPhase); d > 0.1 {
		wrong++
		s.t.Errorf("over the whole overload, a tier was answered %.0f %% more rarely than a less important one:%s", 100*d, shares(tally))
	}
	if best, last := tally.Of(overloadPhase, 0).Share(), tally.Of(overloadPhase, len(tally.Tiers)-1).Share(); best < last+0.3 {
		wrong++
		s.t.Errorf("to be critical makes no difference:%s", shares(tally))
	}
	return wrong
}

// overloadTimes judges what takes a machine of one's own.
func overloadTimes(t *testing.T, tally *tiers.Tally) (wrong int) {
	t.Helper()
	missed := func(is bool, format string, args ...any) {
		if is {
			wrong++
			t.Errorf(format, args...)
		}
	}
	critical, calm := tiers.Quantile(tally.Of(overloadPhase, 0).Right, 0.99), tiers.Quantile(tally.Of(normalPhase, 0).Right, 0.99)
	missed(critical >= 2*calm, "the critical tier's p99 is %v, in normal times %v", critical, calm)
	goodput, peak := tally.Goodput(overloadPhase), tally.Goodput(peakPhase)
	missed(goodput < 0.9*peak, "%.0f right answers a second, at the peak %.0f", goodput, peak)
	refused := tiers.Quantile(tally.All(overloadPhase).Refused, 0.99)
	missed(refused >= 5*time.Millisecond, "refusals took %v (p99)", refused)
	after, ok := tally.Recovery(afterPhase, 2*tiers.Quantile(tally.All(normalPhase).Right, 0.99))
	missed(!ok || after > 2*time.Second, "normal again after %v (%v)", after, ok)
	return wrong
}

// shares are of each tier's requests that were answered in the overload.
func shares(tally *tiers.Tally) (text string) {
	for i, tier := range tally.Tiers {
		text += fmt.Sprintf(" %s %.0f %%", tier, 100*tally.Of(overloadPhase, i).Share())
	}
	return text
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// prioritized has the server know which tier a path is of.
func prioritized(s *site) {
	s.config.Priorities = map[string]string{}
	for _, r := range ranking() {
		s.config.Priorities["crowd_"+r.tier+"*"] = r.tier
	}
}
