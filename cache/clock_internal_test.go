package cache

import "testing"

func BenchmarkClock(b *testing.B) {
	for b.Loop() {
		bootTime()
	}
}
