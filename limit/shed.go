package limit

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Reason tells why a request was shed.
type Reason uint8

// The reasons.
const (
	LowPriority   Reason = iota // refused at arrival: there is not enough for its priority
	QueueFull                   // no room to wait, or pushed out by a better one
	WaitedTooLong               // in the queue for twice the target, under overload
	Deadline                    // its context would have ended before the work
	WaitOver                    // Ask.Wait has passed
)

const reasons = 5

func (r Reason) String() string {
	return [reasons]string{"priority", "queue full", "waited too long", "deadline", "wait over"}[min(r, reasons-1)]
}

// ShedError is the error of Acquire for a request that is not to be done now. It is shared: nobody may change it.
type ShedError struct {
	Reason     Reason
	Class      string // its name
	Tier       Tier
	RetryAfter time.Duration // when to come back; a different one each time, so that not all come back at once
}

func (e *ShedError) Error() string {
	return fmt.Sprintf("overloaded: %s request of class %s shed (%s); try again after %v", e.Tier, e.Class, e.Reason, e.RetryAfter)
}

// retries is how many different times RetryAfter takes.
const retries = 8

// shedErrors are all that a class has, so that to refuse costs no allocation.
type shedErrors [reasons][tiers][retries]ShedError

// newShedErrors spreads RetryAfter evenly over 1 to 2 s for critical requests, 2 to 4 s for default ones, 3 to 6 s and
// 4 to 8 s for the others.
func newShedErrors(class string) *shedErrors {
	all := new(shedErrors)
	for r := range Reason(reasons) {
		for t := range Tier(tiers) {
			least := time.Duration(t+1) * time.Second
			for i := range retries {
				all[r][t][i] = ShedError{r, class, t, least + least*time.Duration(i)/(retries-1)}
			}
		}
	}
	return all
}

func (s *shedErrors) pick(r Reason, t Tier) *ShedError {
	return &s[r][t][rand.IntN(retries)]
}
