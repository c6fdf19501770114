//go:build !linux

package cache

import "time"

// systemClock reads Go's monotonic clock. On most systems it stands still while the machine sleeps.
func systemClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
