package main

import (
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// refusal is what a server answers that does not take a request on.
const refusal = "status 503"

// tally counts what came of the requests of each phase and group.
type tally struct {
	shapes []loadtest.Shape
	groups []string // the most important first, as in the scenario
	phases []loadtest.Phase
	begins []time.Duration

	mu       sync.Mutex
	tiers    [][]tier // by phase in which requests were due, and group
	answered []int    // right answers, by phase in which they came
	after    []verdict
}

// tier is what came of one group's requests in a phase. Latencies are in microseconds, from when requests were due.
type tier struct {
	sent           int
	right, refused *hdrhistogram.Histogram
	lost           int // all other requests: those that timed out, and answers that were wrong otherwise
}

// verdict is whether a request of the last phase was answered right.
type verdict struct {
	due   time.Duration // from the phase's beginning
	right bool
}

func newTally(l loadtest.Load) *tally {
	t := &tally{shapes: l.Source.Shapes(), phases: l.Phases}
	for _, s := range t.shapes {
		if !slices.Contains(t.groups, s.Group) {
			t.groups = append(t.groups, s.Group)
		}
	}
	var begin time.Duration
	for _, p := range l.Phases {
		t.begins = append(t.begins, begin)
		begin += p.Duration
		tiers := make([]tier, len(t.groups))
		for i := range tiers {
			tiers[i] = newTier()
		}
		t.tiers = append(t.tiers, tiers)
	}
	t.answered = make([]int, len(l.Phases))
	return t
}

func newTier() tier {
	return tier{right: newLatencies(), refused: newLatencies()}
}

func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Hour.Microseconds(), 3) }

// add is a Load's Each.
func (t *tally) add(o loadtest.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	phase := t.phaseAt(o.Due)
	if phase == afterPhase {
		t.after = append(t.after, verdict{o.Due - t.begins[phase], o.Problem == ""})
	}
	one := &t.tiers[phase][slices.Index(t.groups, t.shapes[o.Shape].Group)]
	one.sent++
	switch o.Problem {
	case "":
		t.answered[t.phaseAt(o.Done)]++
		_ = one.right.RecordValue((o.Done - o.Due).Microseconds()) // an hour is longer than any timeout
	case refusal:
		_ = one.refused.RecordValue((o.Done - o.Due).Microseconds())
	default:
		one.lost++
	}
}

func (t *tally) phaseAt(at time.Duration) int {
	phase := len(t.begins) - 1
	for phase > 0 && at < t.begins[phase] {
		phase--
	}
	return phase
}

// all adds up the tiers of a phase.
func (t *tally) all(phase int) tier {
	sum := newTier()
	for _, one := range t.tiers[phase] {
		sum.sent += one.sent
		sum.lost += one.lost
		sum.right.Merge(one.right)
		sum.refused.Merge(one.refused)
	}
	return sum
}

// goodput is the rate at which right answers came in a phase.
func (t *tally) goodput(phase int) float64 {
	return float64(t.answered[phase]) / t.phases[phase].Duration.Seconds()
}

// share of the requests that were answered right.
func (t tier) share() float64 { return float64(t.right.TotalCount()) / float64(max(t.sent, 1)) }

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(100*q)) * time.Microsecond
}

// recovery is when, after the overload was over, requests were due from which on 99 % were answered right; false if that never was.
func (t *tally) recovery() (time.Duration, bool) {
	slices.SortFunc(t.after, func(a, b verdict) int { return int(a.due - b.due) })
	wrong, from, found := 0, time.Duration(0), false
	for i, v := range slices.Backward(t.after) {
		if !v.right {
			wrong++
		}
		if 100*wrong <= len(t.after)-i {
			from, found = v.due, true
		}
	}
	return from, found
}

// inOrder says whether no tier did worse than a less important one did, by more than a hundredth of its requests.
func (t *tally) inOrder(phase int) bool {
	for i, better := range t.tiers[phase] {
		for _, worse := range t.tiers[phase][i+1:] {
			if better.share() < worse.share()-0.01 {
				return false
			}
		}
	}
	return true
}
