package limit

import "math"

// histogram counts ratios, with eight buckets to the doubling: a quantile is right within 9 %.
type histogram struct {
	counts [buckets]uint32
	n      uint32
}

const (
	buckets   = 128
	perDouble = 8
	unity     = 32 // the bucket of 1; the least is 1/16, the greatest 4096
)

func (h *histogram) add(ratio float64) {
	i := unity + int(math.Floor(perDouble*math.Log2(ratio)))
	h.counts[max(0, min(i, buckets-1))]++
	h.n++
}

// addWorst counts something that took for ever.
func (h *histogram) addWorst() {
	h.counts[buckets-1]++
	h.n++
}

// p90 returns the 90th percentile; there must be samples.
func (h *histogram) p90() float64 {
	above := h.n / 10
	i := buckets - 1
	for seen := h.counts[i]; seen <= above && i > 0; seen += h.counts[i] {
		i--
	}
	return math.Exp2((float64(i-unity) + 0.5) / perDouble)
}
