package scenario

import (
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"sort"
)

// dice are the random numbers of one stream in one request. It is a value, for none of it to be kept anywhere.
type dice struct{ pcg rand.PCG }

// roll gives the same dice for the same three numbers, and unrelated ones for others.
func roll(seed, stream, n uint64) dice {
	var d dice
	d.pcg.Seed(mix(seed^mix(stream)), mix(n))
	return d
}

// mix scatters numbers that are close to each other (the finalizer of SplitMix64; Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", 2014): PCG's first outputs for neighbouring seeds are otherwise related.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is a number from 0 to n-1, all as probable (Lemire, "Fast Random Integer Generation in an Interval", 2019).
func (d *dice) below(n uint64) uint64 {
	high, low := bits.Mul64(d.pcg.Uint64(), n)
	if low < n {
		for threshold := -n % n; low < threshold; {
			high, low = bits.Mul64(d.pcg.Uint64(), n)
		}
	}
	return high
}

// float is from 0 up to, not including, 1.
func (d *dice) float() float64 { return float64(d.pcg.Uint64()>>11) / (1 << 53) }

// weighted is an index into the sums of weights.
func (d *dice) weighted(sums []uint64) int {
	r := d.below(sums[len(sums)-1])
	return sort.Search(len(sums), func(i int) bool { return sums[i] > r })
}

// sums of the weights up to each, itself included.
func sums(weights []uint64) ([]uint64, error) {
	all := make([]uint64, len(weights))
	total := uint64(0)
	for i, w := range weights {
		if w == 0 {
			return nil, errors.New("a weight is 0; write whole numbers from 1")
		}
		if total += w; total < w || total > math.MaxInt64 {
			return nil, errors.New("the weights are too great; divide them all by the same number")
		}
		all[i] = total
	}
	return all, nil
}

// zipf draws by rejection from an inverse (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone
// discrete distributions", 1996), which takes any exponent above 0, no memory, and at most a few tries.
type zipf struct {
	n, s               float64
	first, last, short float64
}

func newZipf(n int64, s float64) zipf {
	z := zipf{n: float64(n), s: s}
	z.first = z.integral(1.5) - 1
	z.last = z.integral(z.n + 0.5)
	z.short = 2 - z.inverse(z.integral(2.5)-z.density(2))
	return z
}

func (z *zipf) draw(d *dice) int64 {
	for {
		u := z.last + d.float()*(z.first-z.last)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.short || u >= z.integral(k+0.5)-z.density(k) {
			return int64(k)
		}
	}
}

func (z *zipf) density(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// integral of density, (x^(1-s) - 1) / (1-s), or log x for s = 1, without the loss of digits near to it.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	t := (1 - z.s) * log
	if math.Abs(t) < 1e-8 {
		return log * (1 + t/2*(1+t/3*(1+t/4)))
	}
	return log * math.Expm1(t) / t
}

func (z *zipf) inverse(x float64) float64 {
	t := max(x*(1-z.s), -1) // rounding may lead below
	if math.Abs(t) < 1e-8 {
		return math.Exp(x * (1 - t*(1.0/2-t*(1.0/3-t/4))))
	}
	return math.Exp(x * math.Log1p(t) / t)
}
