package promises_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestDelay measures how long after a commit from outside the first answer shows it, at 400 commits a second. It promises
// no times, but that no answer is older than the one before.
func TestDelay(t *testing.T) {
	const programs, every = 4, 10 * time.Millisecond
	s := serve(t, registersSchema)
	commits := scale(200, 2000)
	var mu sync.Mutex
	var delays []time.Duration
	wrong, hits := 0, 0
	var working sync.WaitGroup
	for p := range programs {
		conn := s.connect()
		working.Go(func() {
			path := fmt.Sprintf("/registers?id=eq.%d&select=v", p+1)
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			for range commits {
				var v int64
				if err := conn.QueryRow(context.Background(), "update api.registers set v = v + 1 where id = $1 returning v", p+1).Scan(&v); err != nil {
					t.Error(err)
					return
				}
				acked := time.Now()
				seen := int64(0)
				for seen < v {
					a := s.get(path)
					before := seen
					if _, err := fmt.Sscanf(strings.TrimPrefix(a.body, "["), `{"v":%d}`, &seen); err != nil {
						t.Error(err, a.body)
						return
					}
					mu.Lock()
					if seen < before {
						wrong++
					}
					if a.hit() {
						hits++
					}
					mu.Unlock()
				}
				mu.Lock()
				delays = append(delays, time.Since(acked))
				mu.Unlock()
				s.get(path) // so that the next commit finds an answer to drop
				<-ticker.C
			}
		})
	}
	began := time.Now()
	working.Wait()
	slices.Sort(delays)
	if len(delays) == 0 {
		t.Fatal("nothing was measured")
	}
	at := func(q float64) time.Duration {
		return delays[int(q*float64(len(delays)-1))].Round(10 * time.Microsecond)
	}
	record(t, "Delay", fmt.Sprintf("%d commits from outside at %.0f/s until the first answer that shows them: p50 %v, p99 %v, at most %v; %d hits beside",
		len(delays), float64(len(delays))/time.Since(began).Seconds(), at(0.5), at(0.99), at(1), hits), wrong)
}
