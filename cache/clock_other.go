//go:build !linux

package cache

import "time"

// SystemClock reads Go's monotonic clock. On most systems it stands still while the machine sleeps.
func SystemClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
