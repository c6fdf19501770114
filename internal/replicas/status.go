package replicas

import "time"

// Status is what is known of a replica.
type Status struct {
	// Name is its host and port.
	Name   string
	State  State
	Reason string // why it is not readable
	// Lag is how far it is behind; negative where that is not known.
	Lag time.Duration
	// Expected is how long a read takes there that usually takes a millisecond, and InFlight how many are under way.
	Expected time.Duration
	InFlight int
	// Reads were tried there, Failures of them done again elsewhere. Ejections is how often it was left out for failures in
	// a row.
	Reads, Failures, Ejections uint64
}

// Status of each replica now.
func (s *Set) Status() []Status {
	all := make([]Status, len(s.all))
	for i, r := range s.all {
		v, known := r.view.Load(), s.balancer.State(i)
		all[i] = Status{
			Name: r.name, State: v.state, Reason: v.reason, Lag: -1, Expected: known.Peak, InFlight: known.InFlight,
			Reads: r.reads.Load(), Failures: r.failures.Load(), Ejections: known.Ejections,
		}
		switch {
		case v.state == Readable && known.Ejected:
			all[i].State, all[i].Reason = Ejected, "reads there have failed one after the other"
			fallthrough
		case v.state == Readable || v.state == Behind && v.asOf > 0:
			all[i].Lag = s.lag(v)
		}
	}
	return all
}

// Fallbacks counts reads that the primary had to answer, by reason, and those that were refused.
func (s *Set) Fallbacks() (byReason map[string]uint64, refused uint64) {
	byReason = map[string]uint64{}
	for i, reason := range reasons {
		byReason[reason] = s.fallbacks.counts[i].Load()
	}
	return byReason, s.fallbacks.full.Load()
}

// Level is the level of overload (limit.Limiter) of the readable replica that has the least of it; 0 where none is readable, as
// reads are on the primary then.
func (s *Set) Level() int {
	least := -1
	for _, r := range s.all {
		if r.view.Load().state != Readable {
			continue
		}
		if level := r.db.Limiter().Level(); least < 0 || level < least {
			least = level
		}
	}
	return max(0, least)
}
