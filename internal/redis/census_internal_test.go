package redis

import (
	"testing"
	"time"
)

func TestCensus(t *testing.T) {
	var c census
	start := time.Now()
	for _, step := range []struct {
		at       time.Duration
		hears, n int64
	}{
		{0, 1, 1}, {1 * time.Second, 3, 3}, // more at once
		{2 * time.Second, 1, 3}, {11 * time.Second, 2, 3}, {12 * time.Second, 2, 2}, // fewer when it lasts
		{13 * time.Second, 1, 2}, {14 * time.Second, 2, 2}, {24 * time.Second, 1, 2}, {25 * time.Second, 2, 2}, // forgotten now and then
	} {
		c.heard(step.hears, start.Add(step.at))
		if n := c.count.Load(); n != step.n {
			t.Errorf("after %v, of %d: %d, want %d", step.at, step.hears, n, step.n)
		}
	}
}
