package loadtest

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms go from a microsecond to an hour; what took longer counts as an hour.
const (
	longest      = int64(time.Hour / time.Microsecond)
	rowDigits    = 3
	seriesDigits = 2
)

// waitedFrom is how late a request is sent that counts as having waited for a connection.
const waitedFrom = time.Millisecond

func newRowHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, rowDigits) }

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(0, d.Round(time.Microsecond).Microseconds()), longest)) // in its bounds, so that nothing is refused
}

type event uint8

const (
	announced      event = iota // a request is due
	answered                    // something came of one
	answeredClosed              // the same, of one that was due when it was sent
)

// sample is something to count.
type sample struct {
	event        event
	phase, shape int
	// All count from the run's start.
	due, sent, done time.Duration
	in, out         int
	problem         string
	free, quiet     bool // as in job
	timed           bool // an answer came, or was waited for until the timeout
	abandoned       bool // the run ended before anything came of it
}

// shard collects samples of some goroutines, so that they need not wait for each other.
type shard struct {
	mu      sync.Mutex
	n       int
	samples [128]sample
	_       [64]byte // nothing of the next one in the same cache line
}

// recorder counts samples in an amount of memory that does not depend on their number.
type recorder struct {
	shards []shard
	phases []Phase
	begins []time.Duration // when phases begin

	mu           sync.Mutex
	shapeRows    []Row // without warm-ups
	phaseRows    []Row
	since, total *Row // with warm-ups, for progress only
	series       series
	late         *hdrhistogram.Histogram
	waited       uint64
	sentOpen     uint64 // in phases with a rate
	quietOwn     mean   // of the seconds that answers took to requests that were sent in quiet
	lastDone     time.Duration
}

// mean of what was added.
type mean struct {
	sum float64
	n   float64
}

func (m *mean) add(x float64) {
	m.sum += x
	m.n++
}

func (m *mean) value() float64 {
	if m.n == 0 {
		return 0
	}
	return m.sum / m.n
}

func newRow(name string) Row {
	return Row{Name: name, Errors: map[string]uint64{}, Latency: newRowHistogram(), Own: newRowHistogram()}
}

func newRecorder(phases []Phase, shapes []Shape, live bool) *recorder {
	r := &recorder{shards: make([]shard, max(1, runtime.GOMAXPROCS(0))), phases: phases, late: newRowHistogram()}
	r.series = newSeries()
	var begin time.Duration
	for _, p := range phases {
		r.phaseRows = append(r.phaseRows, newRow(p.Name))
		r.begins = append(r.begins, begin)
		begin += p.Duration
	}
	for _, s := range shapes {
		r.shapeRows = append(r.shapeRows, newRow(s.Name))
	}
	if live {
		since, total := newRow(""), newRow("")
		r.since, r.total = &since, &total
	}
	return r
}

// add takes a sample by way of a shard.
func (r *recorder) add(s *shard, one *sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples[s.n] = *one
	if s.n++; s.n == len(s.samples) {
		r.drain(s)
	}
}

// drain counts what a locked shard has.
func (r *recorder) drain(s *shard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range s.samples[:s.n] {
		r.count(&s.samples[i])
	}
	s.n = 0
}

// settle counts what all shards have.
func (r *recorder) settle() {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		r.drain(s)
		s.mu.Unlock()
	}
}

func (r *recorder) count(s *sample) {
	r.series.add(s)
	r.phaseRows[s.phase].add(s)
	if r.since != nil {
		r.since.add(s)
	}
	if s.event == announced {
		return
	}
	if !r.phases[s.phase].WarmUp {
		// What was never sent has no shape.
		row := &r.shapeRows[s.shape]
		row.add(s)
		if s.event == answered {
			row.Due++
		}
	}
	r.lastDone = max(r.lastDone, s.done)
	if s.event == answered {
		r.countSending(s)
	}
}

// countSending tells how well a request was sent that was due at a time.
func (r *recorder) countSending(s *sample) {
	behind := s.sent - s.due
	r.sentOpen++
	if !s.free && behind > waitedFrom {
		r.waited++
	}
	if s.free {
		record(r.late, behind)
	}
	if s.timed && s.quiet {
		r.quietOwn.add((s.done - s.sent).Seconds())
	}
}

// add counts a sample in a row.
func (row *Row) add(s *sample) {
	if s.event != answered {
		row.Due++
	}
	if s.event == announced {
		return
	}
	row.Sent++
	row.BytesIn += uint64(s.in)
	row.BytesOut += uint64(s.out)
	if s.abandoned {
		return
	}
	if s.problem == "" {
		row.Good++
	} else {
		row.Errors[s.problem]++
	}
	if s.timed {
		record(row.Latency, s.done-s.due)
		record(row.Own, s.done-s.sent)
	}
}

// merge adds what another row has.
func (row *Row) merge(other *Row) {
	row.Due += other.Due
	row.Sent += other.Sent
	row.Good += other.Good
	row.BytesIn += other.BytesIn
	row.BytesOut += other.BytesOut
	for problem, n := range other.Errors {
		row.Errors[problem] += n
	}
	row.Latency.Merge(other.Latency)
	row.Own.Merge(other.Own)
}

// clone shares nothing with the row.
func (row *Row) clone() Row {
	c := *row
	c.Errors, c.Latency, c.Own = maps.Clone(row.Errors), row.Latency.Clone(), row.Own.Clone()
	return c
}

// lap gives what was counted since the last lap, and since the start.
func (r *recorder) lap() (since, total Row) {
	r.settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	since = *r.since
	fresh := newRow("")
	r.since = &fresh
	r.total.merge(&since)
	return since, r.total.clone()
}

// totals are all rows of the result but the phases'.
func (r *recorder) totals(shapes []Shape) (total Row, groups []Row) {
	total = newRow("")
	for i := range r.shapeRows {
		total.merge(&r.shapeRows[i])
		name := shapes[i].Group
		if name == "" {
			continue
		}
		at := slices.IndexFunc(groups, func(g Row) bool { return g.Name == name })
		if at < 0 {
			at = len(groups)
			groups = append(groups, newRow(name))
		}
		groups[at].merge(&r.shapeRows[i])
	}
	total.Due = 0
	for i := range r.phaseRows {
		if !r.phases[i].WarmUp {
			total.Due += r.phaseRows[i].Due
		}
	}
	return total, groups
}
