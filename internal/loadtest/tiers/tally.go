package tiers

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// refusal is what a server answers that does not take a request on.
const refusal = "status 503"

// Tally counts the outcomes of a load. Add is the load's Each; all else is for when the load is over.
type Tally struct {
	// Tiers are the names of the groups, the most important first: in the order of the source's shapes.
	Tiers  []string
	phases []loadtest.Phase
	begins []time.Duration
	tierOf []int // by shape

	mu       sync.Mutex
	counts   [][]Count // by phase in which requests were due, and tier
	answered []int     // right answers, by phase in which they came
	verdicts []verdict
}

// Count is what came of a tier's requests in a phase.
type Count struct {
	// Sent is how many there were, Lost how many of them got neither a right answer nor a refusal, 503.
	Sent, Lost int
	// Right and Refused have the latencies of the others, in microseconds from when they were due.
	Right, Refused *hdrhistogram.Histogram
}

// verdict is what became of a request.
type verdict struct {
	due, took time.Duration
	tier      int
	right     bool
}

// New is a tally of a load that has a source and phases.
func New(l loadtest.Load) *Tally {
	t := &Tally{phases: l.Phases, answered: make([]int, len(l.Phases))}
	for _, s := range l.Source.Shapes() {
		if !slices.Contains(t.Tiers, s.Group) {
			t.Tiers = append(t.Tiers, s.Group)
		}
		t.tierOf = append(t.tierOf, slices.Index(t.Tiers, s.Group))
	}
	var begin time.Duration
	for _, p := range l.Phases {
		t.begins = append(t.begins, begin)
		begin += p.Duration
		counts := make([]Count, len(t.Tiers))
		for i := range counts {
			counts[i] = newCount()
		}
		t.counts = append(t.counts, counts)
	}
	return t
}

func newCount() Count { return Count{Right: newLatencies(), Refused: newLatencies()} }

func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Hour.Microseconds(), 3) }

// Add counts an outcome.
func (t *Tally) Add(o loadtest.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tier := t.tierOf[o.Shape]
	t.verdicts = append(t.verdicts, verdict{o.Due, o.Done - o.Due, tier, o.Problem == ""})
	c := &t.counts[t.phaseAt(o.Due)][tier]
	c.Sent++
	switch o.Problem {
	case "":
		t.answered[t.phaseAt(o.Done)]++
		_ = c.Right.RecordValue((o.Done - o.Due).Microseconds()) // an hour is longer than any timeout
	case refusal:
		_ = c.Refused.RecordValue((o.Done - o.Due).Microseconds())
	default:
		c.Lost++
	}
}

func (t *Tally) phaseAt(at time.Duration) int {
	phase := len(t.begins) - 1
	for phase > 0 && at < t.begins[phase] {
		phase--
	}
	return phase
}

// Of is what came of a tier's requests that were due in a phase.
func (t *Tally) Of(phase, tier int) Count { return t.counts[phase][tier] }

// All adds up the tiers of a phase.
func (t *Tally) All(phase int) Count {
	sum := newCount()
	for _, c := range t.counts[phase] {
		sum.Sent += c.Sent
		sum.Lost += c.Lost
		sum.Right.Merge(c.Right)
		sum.Refused.Merge(c.Refused)
	}
	return sum
}

// Goodput is the rate at which right answers came in a phase, by the second.
func (t *Tally) Goodput(phase int) float64 {
	return float64(t.answered[phase]) / t.phases[phase].Duration.Seconds()
}

// Share of the requests that were answered right; 0 of none.
func (c Count) Share() float64 { return float64(c.Right.TotalCount()) / float64(max(c.Sent, 1)) }

// Quantile of latencies, from 0 to 1; 0 of none.
func Quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(100*q)) * time.Microsecond
}

// Recovery is how long after a phase's beginning requests were due from which on, until its end, 99 % were answered right and within a
// time; false if that never was.
func (t *Tally) Recovery(phase int, within time.Duration) (time.Duration, bool) {
	list := t.during(phase)
	slices.SortFunc(list, func(a, b verdict) int { return cmp.Compare(a.due, b.due) })
	wrong, from, found := 0, time.Duration(0), false
	for i, v := range slices.Backward(list) {
		if !v.right || v.took > within {
			wrong++
		}
		if 100*wrong <= len(list)-i {
			from, found = v.due-t.begins[phase], true
		}
	}
	return from, found
}

func (t *Tally) during(phase int) []verdict {
	var list []verdict
	for _, v := range t.verdicts {
		if t.phaseAt(v.due) == phase {
			list = append(list, v)
		}
	}
	return list
}

// Disorder is by how much, as a share of its requests, a tier was answered more rarely in a phase than a less important one was, at
// worst; 0 if none was.
func (t *Tally) Disorder(phase int) float64 {
	shares := make([]float64, len(t.Tiers))
	for i, c := range t.counts[phase] {
		shares[i] = c.Share()
	}
	return disorder(shares)
}

// Disorders are the same of each whole second of a phase. Seconds in which a tier had fewer than the given number of requests are
// left out.
func (t *Tally) Disorders(phase, least int) []float64 {
	type second struct{ sent, right []float64 }
	seconds := make([]second, int(t.phases[phase].Duration.Seconds()))
	for i := range seconds {
		seconds[i] = second{make([]float64, len(t.Tiers)), make([]float64, len(t.Tiers))}
	}
	for _, v := range t.during(phase) {
		at := int((v.due - t.begins[phase]).Seconds())
		if at >= len(seconds) {
			continue
		}
		seconds[at].sent[v.tier]++
		if v.right {
			seconds[at].right[v.tier]++
		}
	}
	var list []float64
	for _, s := range seconds {
		if slices.Min(s.sent) < float64(least) {
			continue
		}
		for i := range s.right {
			s.right[i] /= s.sent[i]
		}
		list = append(list, disorder(s.right))
	}
	return list
}

func disorder(shares []float64) float64 {
	worst := 0.0
	for i, better := range shares {
		for _, lesser := range shares[i+1:] {
			worst = max(worst, lesser-better)
		}
	}
	return worst
}
