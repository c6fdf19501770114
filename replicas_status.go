package slipstream

import (
	"fmt"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// ReplicaStatus says what is read from a replica of db-replicas.
type ReplicaStatus struct {
	// Name is its host and port.
	Name string `json:"name"`
	// State is readable, or why nothing is read from it: starting, unreachable, foreign (no standby of the primary's present
	// history), behind (by more than replica-max-lag) or ejected (for failures in a row). Reason says more.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// LagMilliseconds is how far it is behind the primary; -1 where that is not known.
	LagMilliseconds int64 `json:"lagMilliseconds"`
	// InFlight reads are under way there. ExpectedMilliseconds is how long one takes there that usually takes a millisecond.
	InFlight             int     `json:"inFlight"`
	ExpectedMilliseconds float64 `json:"expectedMilliseconds"`
	// Reads were sent there since the start; Failures of them had to be done again elsewhere.
	Reads    uint64 `json:"reads"`
	Failures uint64 `json:"failures"`
	// Ejections is how often it was left out for failures in a row.
	Ejections uint64 `json:"ejections"`
}

// ReplicaStatus says what is read from the replicas now, in the order of db-replicas.
func (s *Server) ReplicaStatus() []ReplicaStatus {
	out := []ReplicaStatus{}
	if s.replicas == nil {
		return out
	}
	for _, r := range s.replicas.Status() {
		lag := int64(-1)
		if r.Lag >= 0 {
			lag = r.Lag.Milliseconds()
		}
		out = append(out, ReplicaStatus{
			Name: r.Name, State: string(r.State), Reason: r.Reason, LagMilliseconds: lag, InFlight: r.InFlight,
			ExpectedMilliseconds: float64(r.Expected.Microseconds()) / 1000, Reads: r.Reads, Failures: r.Failures, Ejections: r.Ejections,
		})
	}
	return out
}

// watchReplicas adds the replicas to the metrics.
func (s *Server) watchReplicas() error {
	if s.replicas == nil {
		return nil
	}
	err := s.metrics.WatchReplicas(func() telemetry.ReplicasStats {
		var stats telemetry.ReplicasStats
		for _, r := range s.replicas.Status() {
			stats.Replicas = append(stats.Replicas, telemetry.ReplicaStats{
				Name: r.Name, State: string(r.State), Lag: r.Lag, Expected: r.Expected, InFlight: r.InFlight,
				Reads: r.Reads, Failures: r.Failures, Ejections: r.Ejections,
			})
		}
		stats.Fallbacks, stats.Refused = s.replicas.Fallbacks()
		return stats
	})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
