package slipstream

import "github.com/slipstream-go/slipstream/internal/telemetry"

// watchFailover makes metrics of retries and of the primary.
func (s *Server) watchFailover() error {
	return s.metrics.WatchFailover(func() telemetry.Failover {
		again, parked := s.db.RetryStats(), s.db.ParkStats()
		primary, failovers := s.db.Primary()
		f := telemetry.Failover{
			Retries: map[[2]string]uint64{}, Spent: again.Spent, Denied: again.Denied, Left: again.Left,
			Commits: map[string]uint64{"committed": again.Committed, "undone": again.Undone, "unknown": again.Unknown},
			Parked:  parked.Now, ParkedTotal: parked.Total, ParkedExpired: parked.Expired, ParkedFull: parked.Full,
			Host: primary.Host, Timeline: primary.Timeline, Failovers: failovers,
		}
		for _, r := range again.ByReason {
			f.Retries[[2]string{r.Reason, "succeeded"}] = r.Succeeded
			f.Retries[[2]string{r.Reason, "failed"}] = r.Failed
			f.Retries[[2]string{r.Reason, "denied"}] = r.Denied
		}
		return f
	})
}
