package loadtest_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Whenever requests are due, and in whatever order they are counted, each is in the interval of its time, and there are
// never too many.
func TestIntervalsOfSeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		due := rapid.SliceOfN(rapid.Int64Range(0, int64(10*time.Minute)), 1, 200).Draw(t, "due")
		times := make([]time.Duration, len(due))
		latest := time.Duration(0)
		for i, d := range due {
			times[i] = time.Duration(d)
			latest = max(latest, times[i])
		}
		length, intervals := loadtest.Merged(times)
		if len(intervals) > 600 || int(latest/length) != len(intervals)-1 {
			t.Fatalf("%d intervals of %v, the latest at %v", len(intervals), length, latest)
		}
		if length > 100*time.Millisecond && latest < 300*length {
			t.Fatalf("intervals of %v, the latest at %v", length, latest)
		}
		want := make([]uint64, len(intervals))
		for _, d := range times {
			want[d/length]++
		}
		for i, n := range want {
			got := intervals[i]
			latencies := int64(0)
			if got.Latency != nil {
				latencies = got.Latency.TotalCount()
			}
			if got.Sent != n || got.Good != n || latencies != int64(n) {
				t.Fatalf("interval %d: %d, %d, %d latencies, not %d", i, got.Sent, got.Good, latencies, n)
			}
		}
	})
}
