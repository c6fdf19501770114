package limit

import (
	"testing"
	"time"
)

// window is one in which n were served, each in its usual time, with most of them under way at a time.
func (v *vegas) window(now *time.Duration, n, most int) {
	for range n {
		v.sample(&Outcome{Took: time.Millisecond}, true, *now, time.Time{}.Add(*now))
	}
	v.peak = most
	*now += leastWindow
	if v.due(*now) {
		v.end(*now, true)
	}
}

func TestMoreAtATimeGetsLessDone(t *testing.T) {
	for name, test := range map[string]struct{ served, want int }{"less": {-20, 30}, "as much": {0, 40}, "more": {20, 40}} {
		t.Run(name, func(t *testing.T) {
			v := newVegas(2, 40)
			now := time.Duration(0)
			for i := range 40 {
				most := 30 + i%5
				v.window(&now, 1000+test.served*most, most)
			}
			if v.most() > test.want || test.want == 40 && v.most() < 40 {
				t.Errorf("the limit is %d", v.most())
			}
		})
	}
}

func TestNothingIsKnownFromFewSamples(t *testing.T) {
	v := newVegas(2, 40)
	now := time.Duration(0)
	for range 3 {
		v.window(&now, 13, 1)
		if v.began != 0 {
			t.Fatal("the window was closed")
		}
	}
	v.window(&now, 13, 1)
	if v.began != now {
		t.Error("the window was not closed after 50 samples")
	}
}

func TestP90(t *testing.T) {
	var h histogram
	for i := range 100 {
		h.add(float64(i+1) / 10)
	}
	if p := h.p90(); p < 8.2 || p > 9.9 {
		t.Errorf("%v, want 9 within 9 %%", p)
	}
	h.add(0)
	h.add(1e9)
	h.addWorst()
	if h.n != 103 {
		t.Errorf("%d", h.n)
	}
}

func TestABaselineRisesSlowlyAndFallsAtOnce(t *testing.T) {
	var b Baseline
	at := time.Unix(1000, 0)
	for range warmup {
		b.learn(10*time.Millisecond, at, false)
	}
	for range 1000 {
		b.learn(time.Second, at, false)
	}
	if m := b.Mean(); m > 13*time.Millisecond || m < 12*time.Millisecond {
		t.Errorf("%v after congestion", m)
	}
	for range 40 {
		b.learn(5*time.Millisecond, at, false)
	}
	if m := b.Mean(); m > 6*time.Millisecond {
		t.Errorf("%v after faster work", m)
	}
	for range 100 {
		b.learn(time.Second, at, true)
	}
	if m := b.Mean(); m < 900*time.Millisecond {
		t.Errorf("%v after work that is slower for sure", m)
	}
}
