package promises_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

// quotaOfEach is what each caller may use, whichever server he asks.
var quotaOfEach = slipstream.RateLimit{Name: "each", By: []string{"sub"}, Quota: 40, Window: time.Second, Burst: 10}

// admission was decided on between two times since the beginning.
type admission struct{ sent, done time.Duration }

// asker is one who asks as often as he can. Several clients share his name.
type asker struct {
	bearer string

	mu       sync.Mutex
	admitted []admission
	asked    int
}

// TestQuotas has callers ask two servers that share a Redis for much more than their quotas. It looks for a stretch of time in which
// more was certainly admitted than may be; and that all others are told when to come back. Then the Redis is killed again and again:
// requests go on. One server finds out before the other that the Redis is back, and has its counts to itself until then, beside the
// other's half.
func TestQuotas(t *testing.T) {
	server := redistest.Start(t)
	s := bare(t, "create table little (n int); insert into little values (1);")
	s.config.CacheMode, s.config.RedisURL, s.config.LimitsTimeout = "off", server.URL(), 10*time.Second // which only a dead server exceeds
	s.config.Limits, s.config.DisableOverloadProtection = []slipstream.RateLimit{quotaOfEach}, true
	s.run()
	twin := *s
	twin.run()
	most := quotaOfEach.Quota + quotaOfEach.Burst
	span := time.Duration(scale(2, 60)) * time.Second
	s.quotas(&twin, "two servers that share a Redis", span, most, func() {})
	outages, apart := scale(1, 25), quotaOfEach.Window*6/5 // so that no window sees two changes
	s.quotas(&twin, fmt.Sprintf("the same, the Redis killed %d times", outages), time.Duration(2*outages)*apart, most+most/2, func() {
		for range outages {
			pause(t, apart)
			server.Kill()
			pause(t, apart)
			server.Restart()
		}
	})
}

func (s *site) quotas(twin *site, what string, span time.Duration, allowed int, meanwhile func()) {
	s.t.Helper()
	const callers, clients = 4, 2
	sites, started := [2]*site{s, twin}, time.Now()
	all := make([]*asker, callers)
	var asking sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for i := range all {
		all[i] = &asker{bearer: s.bearer(fmt.Sprintf("%q: %q", "sub", fmt.Sprintf("%s %d", what, i)))}
		for n := range clients * len(sites) {
			asking.Go(func() {
				for time.Since(started) < span {
					if err := all[i].ask(sites[n%len(sites)], started); err != nil {
						mu.Lock()
						s.t.Error(err)
						wrong++
						mu.Unlock()
						return
					}
				}
			})
		}
	}
	meanwhile()
	asking.Wait()
	asked, admitted, most := 0, 0, 0
	for _, c := range all {
		asked, admitted = asked+c.asked, admitted+len(c.admitted)
		n := mostWithin(c.admitted, quotaOfEach.Window)
		most = max(most, n)
		wrong += max(0, n-allowed)
	}
	if admitted == asked || admitted < callers*quotaOfEach.Quota {
		s.t.Errorf("%d of %d were admitted: nothing was tried", admitted, asked)
	}
	record(s.t, "A9", fmt.Sprintf("%s, for %v: %d callers sent %d requests over %d connections, of which %d were admitted; at most %d of one caller in any second (%d may be)",
		what, span, callers, asked, callers*clients*len(sites), admitted, most, allowed), wrong)
}

// ask sends one request. Whoever is refused is told so in fields that are what they should be.
func (c *asker) ask(s *site, started time.Time) error {
	sent := time.Since(started)
	a, err := s.try("/little", c.bearer)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	for _, name := range []string{"RateLimit", "RateLimit-Policy"} {
		if list, err := httpsfv.UnmarshalList(a.Header.Values(name)); err != nil || len(list) != 1 {
			return fmt.Errorf("%d with %s: %q: %w", a.StatusCode, name, a.Header.Values(name), err)
		}
	}
	switch {
	case a.StatusCode == http.StatusOK:
		c.admitted = append(c.admitted, admission{sent, time.Since(started)})
	case a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "":
		return fmt.Errorf("%d %s", a.StatusCode, a.body)
	}
	return nil
}

// mostWithin is how many were certainly decided on within some stretch of time as long as window.
func mostWithin(all []admission, window time.Duration) (most int) {
	for _, first := range all {
		n := 0
		for _, a := range all {
			if a.sent >= first.sent && a.done <= first.sent+window {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
