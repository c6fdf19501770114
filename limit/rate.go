package limit

import (
	"errors"
	"fmt"
	"time"
)

// Rate is how much may be used in the long run, and how much at once. The algorithm is GCRA (ITU-T I.371, annex A): units
// come back one by one, Quota of them in a Window, until Burst are there. So in no stretch of time as long as Window are more
// than Quota + Burst units used.
type Rate struct {
	// Quota is the number of units that come back in Window, at least 1. The time between two is rounded up to whole
	// microseconds.
	Quota int
	// Window is from 1 ms to 366 days.
	Window time.Duration
	// Burst is the most units that can be used at once. 0 is Quota.
	Burst int
}

const (
	shortest      = time.Millisecond
	longestWindow = 366 * 24 * time.Hour
)

// Check says what is wrong with a rate, and what to write.
func (r Rate) Check() error {
	switch {
	case r.Quota < 1:
		return errors.New("quota is missing; write how many requests are allowed in a window, at least 1")
	case r.Window < shortest || r.Window > longestWindow:
		return fmt.Errorf("window is %s; write a time from 1ms to 8784h, which is 366 days", r.Window)
	case int64(r.Quota) > r.Window.Microseconds():
		return fmt.Errorf("quota is %d in %s; write at most a million in a second", r.Quota, r.Window)
	case r.Burst < 0 || int64(r.Burst) > longestWindow.Microseconds()/r.interval():
		return fmt.Errorf("burst is %d; write a number from 1 to what comes back in a year", r.Burst)
	}
	return nil
}

// AtOnce is Burst, or what stands for it.
func (r Rate) AtOnce() int {
	if r.Burst > 0 {
		return r.Burst
	}
	return r.Quota
}

// interval is the time after which one unit is back, in microseconds. Rounding it up keeps the promise.
func (r Rate) interval() int64 {
	quota := int64(r.Quota)
	return (r.Window.Microseconds() + quota - 1) / quota
}

// capacity is the time in which all units come back, in microseconds.
func (r Rate) capacity() int64 { return int64(r.AtOnce()) * r.interval() }
