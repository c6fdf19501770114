package loadtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SLO is what a service is to reach: all of its objectives.
type SLO []Objective

// Objective is a bound of a percentile of Row.Latency or, if Percentile is 0, of the part of the requests that got no right
// answer.
type Objective struct {
	Percentile float64 // over 0 and at most 100
	Latency    time.Duration
	Errors     float64 // 0 to 1
}

// ParseSLO reads objectives with commas between them, such as "p50=5ms, p99.9=1s, errors=0.1%". Without one of errors, 1 % of
// them is allowed: a service that refuses everything is fast.
func ParseSLO(text string) (SLO, error) {
	var slo SLO
	errors := false
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		o, err := parseObjective(strings.TrimSpace(name), strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		slo = append(slo, o)
		errors = errors || o.Percentile == 0
	}
	if !errors {
		slo = append(slo, Objective{Errors: 0.01})
	}
	return slo, nil
}

func parseObjective(name, value string) (o Objective, err error) {
	bad := fmt.Errorf("SLO %q: want objectives such as p99=50ms or errors=0.1%%, with commas between them", name+"="+value)
	if name == "errors" {
		number, percent := strings.CutSuffix(value, "%")
		if o.Errors, err = strconv.ParseFloat(strings.TrimSpace(number), 64); err != nil {
			return o, bad
		}
		if percent {
			o.Errors /= 100
		}
		if !(o.Errors >= 0 && o.Errors <= 1) {
			return o, bad
		}
		return o, nil
	}
	number, ok := strings.CutPrefix(name, "p")
	if !ok {
		return o, bad
	}
	if o.Percentile, err = strconv.ParseFloat(number, 64); err != nil || !(o.Percentile > 0 && o.Percentile <= 100) {
		return o, bad
	}
	if o.Latency, err = time.ParseDuration(value); err != nil || o.Latency <= 0 {
		return o, bad
	}
	return o, nil
}

// String is what ParseSLO reads.
func (s SLO) String() string {
	var parts []string
	for _, o := range s {
		parts = append(parts, o.String())
	}
	return strings.Join(parts, ",")
}

func (o Objective) String() string {
	if o.Percentile == 0 {
		return "errors=" + formatNumber(100*o.Errors) + "%"
	}
	return "p" + formatNumber(o.Percentile) + "=" + o.Latency.String()
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'g', 10, 64) }

// Broken says which objective a row misses and by what; empty if it misses none.
func (s SLO) Broken(row *Row) string {
	for _, o := range s {
		if o.Percentile == 0 {
			if rate := row.ErrorRate(); rate > o.Errors {
				return fmt.Sprintf("errors were %s %%, not at most %s %%", strconv.FormatFloat(100*rate, 'g', 3, 64), formatNumber(100*o.Errors))
			}
			continue
		}
		if got := microseconds(row.Latency.ValueAtQuantile(o.Percentile)); got > o.Latency {
			return fmt.Sprintf("p%s was %v, not at most %v", formatNumber(o.Percentile), got, o.Latency)
		}
	}
	return ""
}

// ErrorRate is which part of what was sent, or 0 if nothing was, is in Errors.
func (row *Row) ErrorRate() float64 {
	if row.Sent == 0 {
		return 0
	}
	n := uint64(0)
	for _, count := range row.Errors {
		n += count
	}
	return float64(n) / float64(row.Sent)
}
