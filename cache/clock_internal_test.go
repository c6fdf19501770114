package cache

import "testing"

func TestClockGoesForward(t *testing.T) {
	clock := SystemClock()
	for last := clock(); clock() == last; {
		if clock() < last {
			t.Fatal("the clock went backwards")
		}
	}
}

func BenchmarkClock(b *testing.B) {
	clock := SystemClock()
	for b.Loop() {
		clock()
	}
}
