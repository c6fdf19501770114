package slipstream

import (
	"fmt"
	"slices"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// CacheStatus says what the cache does.
type CacheStatus struct {
	// Mode is off, wal (exact by row, by the write-ahead log), notify (exact by table, by triggers), ttl (of relations with
	// cache: ttl only, for their time), or none; in the latter two Reason says why it is none of the exact ones.
	Mode string `json:"mode"`
	// Hint is what to do for a better mode, where changes are followed; empty in the best.
	Hint string `json:"hint,omitempty"`
	// Reason why changes cannot be followed, with the remedy; empty if they are.
	Reason string `json:"reason,omitempty"`
	// Feed is how the write-ahead log is followed: by its own slot, leads for others, or follows another's slot. Empty while
	// it is not.
	Feed string `json:"feed,omitempty"`
	// Tables is how many tables' changes are known.
	Tables int `json:"tables"`
	// Entries and Bytes are what is kept.
	Entries int    `json:"entries"`
	Bytes   uint64 `json:"bytes"`
	// Hits and Misses count look-ups since the start; misses by reason.
	Hits   uint64            `json:"hits"`
	Misses map[string]uint64 `json:"misses"`
	// Stored counts answers that were kept, Rejected those that were not, by reason.
	Stored   uint64            `json:"stored"`
	Rejected map[string]uint64 `json:"rejected"`
	// Invalidated counts answers that changes have made wrong, Evicted those that made room.
	Invalidated uint64 `json:"invalidated"`
	Evicted     uint64 `json:"evicted"`
	// Shared is what comes and goes by the Redis that instances share; nil without one.
	Shared *CacheSharing `json:"shared,omitempty"`
	// LagMilliseconds is how long ago the present state was certain; -1 if it is not, or if nobody has asked for it lately.
	LagMilliseconds int64 `json:"lagMilliseconds"`
	// Standbys are those of db-replicas.
	Standbys []StandbyStatus `json:"standbys,omitempty"`
}

// CacheSharing counts answers that instances share, since the start.
type CacheSharing struct {
	// Away is true while the Redis does not answer.
	Away bool `json:"away"`
	// Hits are answers of other instances that were taken over, among Misses of the own cache, and Refused the rest of
	// these, by reason.
	Hits    uint64            `json:"hits"`
	Refused map[string]uint64 `json:"refused"`
	// Sent, Dropped and Failed are answers for others: stored, left out because there were too many or the Redis was away,
	// and those that it did not take.
	Sent    uint64 `json:"sent"`
	Dropped uint64 `json:"dropped"`
	Failed  uint64 `json:"failed"`
}

// CacheStatus says what the cache does now.
func (s *Server) CacheStatus() CacheStatus {
	k := s.caching
	if k == nil {
		return CacheStatus{Mode: "off", Reason: "cache-mode is off", LagMilliseconds: -1}
	}
	st := k.cache.Stats()
	mode := k.feed.Status().Mode
	out := CacheStatus{
		Mode: string(mode), Hint: mode.Hint(), Entries: st.Entries, Bytes: st.Bytes, Hits: st.Hits, Misses: map[string]uint64{}, Stored: st.Stored,
		Rejected: map[string]uint64{}, Invalidated: st.Invalidated, Evicted: st.Evicted, LagMilliseconds: -1,
	}
	if st.Lease >= 0 && !k.resting(st) {
		out.LagMilliseconds = st.Lease.Milliseconds()
	}
	for m, n := range st.Misses {
		out.Misses[m.String()] = n
	}
	for r, n := range st.Rejected {
		out.Rejected[r.String()] = n
	}
	out.Feed = describeFeed(k.feed.Status())
	out.Shared = k.sharing(&st)
	if tables := k.published.Load(); tables != nil {
		out.Tables = len(*tables)
	}
	out.Standbys = k.standbys.status()
	status := k.cache.Status()
	k.mu.Lock()
	defer k.mu.Unlock()
	if status.Mode != cache.Open {
		out.Mode, out.Hint = "none", ""
		if k.limits.Load() {
			out.Mode = "ttl"
		}
		reasons := slices.DeleteFunc([]string{k.problem, status.Reason}, func(r string) bool { return r == "" })
		if len(reasons) > 0 {
			out.Reason = reasons[0]
		}
	}
	return out
}

// watchCache adds the cache to the metrics.
func (s *Server) watchCache() error {
	err := s.metrics.WatchCache(func() telemetry.CacheStats {
		st := s.CacheStatus()
		stats := telemetry.CacheStats{
			Mode: st.Mode, Hits: map[string]uint64{"l1": st.Hits}, Misses: st.Misses, Rejected: st.Rejected,
			Stored: st.Stored, Invalidated: st.Invalidated, Evicted: st.Evicted, Entries: st.Entries, Bytes: st.Bytes,
			Lag: time.Duration(st.LagMilliseconds) * time.Millisecond,
		}
		if s.caching != nil {
			stats.Followers = s.caching.feed.Status().Followers
		}
		for _, b := range st.Standbys {
			stats.Standbys = append(stats.Standbys, telemetry.StandbyStats{
				Name: b.Name, Fills: b.Fills, Lag: time.Duration(b.LagMilliseconds) * time.Millisecond, Used: b.Used, Discarded: b.Discarded,
			})
		}
		if shared := st.Shared; shared != nil {
			stats.Hits["l2"], stats.Refused = shared.Hits, shared.Refused
			stats.Offered = map[string]uint64{"sent": shared.Sent, "dropped": shared.Dropped, "failed": shared.Failed}
		}
		return stats
	})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
