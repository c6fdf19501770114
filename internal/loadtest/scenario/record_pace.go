package scenario

import (
	"fmt"
	"math"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// pace counts requests by the second. The zero value has none.
type pace struct {
	origin      time.Time // of the first that came in
	first, last time.Duration
	seconds     map[int64]uint64 // after the origin, or before it
}

// fits refuses clocks that have gone wrong, for whose sake a test would take years.
func (p *pace) fits(at time.Time) bool {
	const year = 366 * 24 * time.Hour
	return p.seconds == nil || at.Sub(p.origin).Abs() < year
}

func (p *pace) add(at time.Time) {
	if p.seconds == nil {
		p.origin, p.seconds = at, map[int64]uint64{}
	}
	since := at.Sub(p.origin)
	p.first, p.last = min(p.first, since), max(p.last, since)
	p.seconds[int64(math.Floor(since.Seconds()))]++
}

const (
	maxBins   = 600
	maxPhases = 60
	// likely is by how much the logarithm of the likelihood must fall for two parts of the time not to be taken for one. Where the
	// rate is the same, 6 happens by chance once in two thousand places (Wilks's theorem), 12 hardly at any of maxBins.
	likely = 12
	// nearlyNone stands for no requests at all: without a rate, a phase would send as many as it can.
	nearlyNone = 0.001
)

// bin is a part of the time.
type bin struct {
	length time.Duration
	count  uint64
}

func (b bin) rate() float64 { return float64(b.count) / b.length.Seconds() }

// bins cuts the time into equal parts of whole seconds; the last one ends with the last request.
func (p *pace) bins() []bin {
	from := int64(math.Floor(p.first.Seconds()))
	span := int64(math.Floor(p.last.Seconds())) - from + 1
	width := (span + maxBins - 1) / maxBins
	bins := make([]bin, (span+width-1)/width)
	for i := range bins {
		bins[i].length = time.Duration(width) * time.Second
	}
	for second, count := range p.seconds {
		bins[(second-from)/width].count += count
	}
	last := len(bins) - 1
	if last == 0 {
		return bins
	}
	begin := time.Duration(from+int64(last)*width) * time.Second
	bins[last].length = (p.last - begin).Round(time.Millisecond)
	if bins[last].length < time.Duration(width)*time.Second/2 { // too short to have a rate
		bins[last-1].length += bins[last].length
		bins[last-1].count += bins[last].count
		bins = bins[:last]
	}
	return bins
}

// phases has a phase for each part of the time with about the same rate.
func (p *pace) phases() []Phase {
	bins := p.bins()
	for len(bins) > 1 {
		least, at := math.Inf(1), 0
		for i := range len(bins) - 1 {
			if loss := bins[i].loss(bins[i+1]); loss < least {
				least, at = loss, i
			}
		}
		if least > likely && len(bins) <= maxPhases {
			break
		}
		bins[at] = bins[at].join(bins[at+1])
		bins = append(bins[:at+1], bins[at+2:]...)
	}
	phases := make([]Phase, len(bins))
	start := time.Duration(0)
	for i, b := range bins {
		rate := max(math.Round(b.rate()*1000)/1000, nearlyNone)
		phases[i].Phase = loadtest.Phase{Name: fmt.Sprintf("from %s", start), Duration: b.length, From: rate, To: rate}
		start += b.length
	}
	return phases
}

func (b bin) join(next bin) bin { return bin{b.length + next.length, b.count + next.count} }

// loss is the logarithm of the likelihood that is lost by taking two bins for one with one rate, of requests that come
// independently of each other.
func (b bin) loss(next bin) float64 {
	return b.evidence() + next.evidence() - b.join(next).evidence()
}

func (b bin) evidence() float64 {
	if b.count == 0 {
		return 0
	}
	return float64(b.count) * math.Log(b.rate())
}
