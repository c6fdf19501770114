package promises_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestReplicasGoneByTier kills all replicas under load, when there is three times as much to do as the primary may take over: the
// most important requests get what there is.
func TestReplicasGoneByTier(t *testing.T) {
	pgtest.Server(t)
	replicas := []*pgtest.Replica{pgtest.Standby(t), pgtest.Standby(t)}
	s := crowded(t, 10, prioritized, func(s *site) {
		for _, r := range replicas {
			s.config.DBReplicas = append(s.config.DBReplicas, r.At(s.config.DBURI))
			r.CatchUp()
		}
	})
	s.readable(0, true)
	s.readable(1, true)
	const allowed = 3 // of ten connections
	calm, gone := 2*time.Second, time.Duration(scale(5, 120))*time.Second
	l, tally := s.rush(30*time.Second, nil,
		loadtest.Phase{Name: "calm", Duration: calm, From: 0.5},
		loadtest.Phase{Name: "gone", Duration: gone, From: 1})
	most := 0
	stop := sampled(func() { most = max(most, s.running(t)) })
	done := make(chan *loadtest.Result, 1)
	go func() { done <- s.loaded(l) }()
	pause(t, calm)
	for _, r := range replicas {
		kill(t, r)
	}
	res := <-done
	stop()
	critical, all := tally.Of(1, 0), tally.All(1)
	wrong := critical.Sent - int(critical.Right.TotalCount())
	if wrong > 0 {
		t.Errorf("%d of %d critical requests were not answered right: %v", wrong, critical.Sent, res.Total.Errors)
	}
	if most > allowed {
		wrong++
		t.Errorf("the primary had %d statements at a time, and %d are allowed", most, allowed)
	}
	if n := unanswered(res); n > 0 {
		wrong += n
		t.Errorf("%d requests got no answer: %v", n, res.Total.Errors)
	}
	if all.Refused.TotalCount() == 0 || most == 0 {
		t.Errorf("%d statements at a time on the primary, and nobody was refused: nothing was tried", most)
	}
	record(t, "A2", fmt.Sprintf("both replicas killed under %v of three times as much as the primary may take over: %d critical requests, of them %d answered right (p99 %v); "+
		"of all %d, %d were answered right and %d refused; at most %d statements at a time on the primary (%d are allowed)", gone, critical.Sent, critical.Right.TotalCount(),
		rounded(tiers.Quantile(critical.Right, 0.99)), all.Sent, all.Right.TotalCount(), all.Refused.TotalCount(), most, allowed), wrong)
}
