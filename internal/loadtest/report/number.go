package report

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// none stands where there is nothing to say.
const none = "–"

func empty(h *hdrhistogram.Histogram) bool { return h == nil || h.TotalCount() == 0 }

// milliseconds is a quantile, from 0 to 1, of a histogram of microseconds; NaN if that is empty.
func milliseconds(h *hdrhistogram.Histogram, q float64) float64 {
	if empty(h) {
		return math.NaN()
	}
	return float64(h.ValueAtQuantile(100*q)) / 1000
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// figure writes a number with three digits that count, and all of those before the point.
func figure(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return none
	case math.Abs(f) >= 99.95:
		return thousands(f)
	case math.Abs(f) >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case math.Abs(f) >= 0.9995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f == 0:
		return "0"
	}
	return strconv.FormatFloat(f, 'f', 3, 64)
}

// thousands writes a whole number with commas: 12,345.
func thousands(f float64) string {
	digits := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func count(n uint64) string { return thousands(float64(n)) }

// rate writes requests a second.
func rate(f float64) string {
	if f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return none
	}
	return figure(f)
}

// percent writes a share from 0 to 1. What is not nothing is never written as nothing.
func percent(share float64) string {
	switch {
	case math.IsNaN(share):
		return none
	case share == 0:
		return "0"
	case share < 0.0001:
		return "<0.01 %"
	}
	return strconv.FormatFloat(100*share, 'f', 2, 64) + " %"
}

// change writes a relative difference: 0.123 is +12.3 %.
func change(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return none
	}
	text := strconv.FormatFloat(100*f, 'f', 1, 64) + " %"
	switch {
	case text == "-0.0 %":
		return "+0.0 %"
	case f >= 0:
		return "+" + text
	}
	return text
}

// inSeconds writes a duration, with minutes if there are some.
func inSeconds(d time.Duration) string {
	if d >= 2*time.Minute {
		text := strconv.FormatFloat(math.Floor(d.Minutes()), 'f', -1, 64) + " min"
		if rest := d.Round(10*time.Millisecond) % time.Minute; rest > 0 {
			text += " " + inSeconds(rest)
		}
		return text
	}
	return strconv.FormatFloat(math.Round(d.Seconds()*100)/100, 'f', -1, 64) + " s"
}

// printable keeps what comes from servers and scenarios from moving the cursor or breaking lines.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}
