package report

import "github.com/slipstream-go/slipstream/internal/loadtest"

// metric is a figure that is compared.
type metric struct {
	name string
	// quantile of the latency; 0 for other figures.
	quantile float64
	tested   bool
	// lessIsWorse for rates.
	lessIsWorse bool
	// isShare for errors, whose change is a difference: there may have been none before.
	isShare bool
}

func metrics(open bool) []metric {
	list := []metric{
		{name: "p50", quantile: 0.5, tested: true}, {name: "p90", quantile: 0.9}, {name: "p99", quantile: 0.99, tested: true}, {name: "p99.9", quantile: 0.999},
	}
	if !open {
		list = append(list, metric{name: "good/s", tested: true, lessIsWorse: true})
	}
	return append(list, metric{name: "errors", tested: true, isShare: true})
}

// tally is what metrics are figures of.
type tally struct {
	// quantile of the latency, from 0 to 1, in milliseconds; NaN if there was no answer.
	quantile              func(float64) float64
	answers               float64
	good, errors, seconds float64
}

func tallied(r loadtest.Row, seconds float64) tally {
	t := tally{
		quantile: func(q float64) float64 { return milliseconds(r.Latency, q) },
		good:     float64(r.Good), errors: float64(errorsOf(r)), seconds: seconds,
	}
	if !empty(r.Latency) {
		t.answers = float64(r.Latency.TotalCount())
	}
	return t
}

func (m metric) of(t tally) float64 {
	switch {
	case m.quantile > 0:
		return t.quantile(m.quantile)
	case m.isShare:
		return t.errors / (t.errors + t.good)
	}
	return t.good / t.seconds
}

// enough answers has a tally of which n are beyond the quantile. With fewer, the quantile is that of a few requests.
func (m metric) enough(t tally, n float64) bool {
	return m.quantile == 0 || t.answers*(1-m.quantile) >= n
}

// change from one value to another: relative, but a difference of shares.
func (m metric) change(before, after float64) float64 {
	if m.isShare {
		return after - before
	}
	return after/before - 1
}
