package slipstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

// fleet are servers on one database that share a Redis, with two replication slots for all. All serve from their caches.
func fleet(t *testing.T, n int) (all []*site, server *redistest.Server) {
	t.Helper()
	s := newSite(t, cachedTables)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	server = redistest.Start(t)
	s.config.CacheMode, s.config.CacheStaleness = "wal", time.Minute // a slow machine must not make misses of hits
	s.config.RedisURL, s.config.CacheSlots, s.config.DBPool = server.URL(), 2, 2
	for range n {
		one := *s
		one.run()
		all = append(all, &one)
	}
	for _, one := range all {
		one.ready()
		one.live()
	}
	return all, server
}

func (s *site) slots() string {
	s.t.Helper()
	return s.value("select count(*) from pg_replication_slots where database = current_database()")
}

// feeds sorts the ways in which the servers follow the log.
func feeds(all []*site) (leader *site, slots, followers []*site) {
	for _, s := range all {
		switch st := s.CacheStatus().Feed; {
		case strings.HasPrefix(st, "leads for "):
			leader = s
			slots = append(slots, s)
		case strings.HasPrefix(st, "by its own slot "):
			slots = append(slots, s)
		case strings.HasPrefix(st, "follows slipstream_"):
			followers = append(followers, s)
		}
	}
	return leader, slots, followers
}

// current writes past all servers, and has each find it.
func current(t *testing.T, all []*site, price int) {
	t.Helper()
	for _, s := range all {
		eventually(t, "it is kept", func() bool { return s.kept("/item?id=eq.1&select=price", "") == "hit" })
	}
	all[0].exec(fmt.Sprintf("update api.item set price = %d where id = 1", price))
	for _, s := range all {
		s.settle()
		if body, status := s.cachedGet("/item?id=eq.1&select=price", ""); body != fmt.Sprintf(`[{"price":%d}]`, price) {
			t.Errorf("%s after price was set to %d; %s; the feed %s", body, price, status, s.CacheStatus().Feed)
		}
	}
}

func TestManyInstancesByTwoSlots(t *testing.T) {
	all, server := fleet(t, 6)
	var leader *site
	var slots, followers []*site
	eventually(t, "one leads four", func() bool {
		leader, slots, followers = feeds(all)
		return leader != nil && strings.HasPrefix(leader.CacheStatus().Feed, "leads for 4 ")
	})
	if got := all[0].slots(); got != "2" || len(slots) != 2 || len(followers) != 4 {
		t.Errorf("%s slots, %d servers with one, %d that follow", got, len(slots), len(followers))
	}
	for i := range 3 {
		current(t, all, 100+i)
	}
	for i, s := range all {
		for price := range 3 {
			price += 1000 * (i + 1)
			r, err := http.NewRequest(http.MethodPatch, "http://"+s.Addr()+"/item?id=eq.2", strings.NewReader(fmt.Sprintf(`{"price": %d}`, price)))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if a := s.do(r); a.StatusCode != http.StatusNoContent {
				t.Fatalf("%s: %s", a.Status, a.body)
			}
			if body, status := s.cachedGet("/item?id=eq.2&select=price", ""); body != fmt.Sprintf(`[{"price":%d}]`, price) {
				t.Errorf("%s after it was set to %d; %s", body, price, status)
			}
		}
	}

	server.Kill()
	eventually(t, "those who follow go by their caches", func() bool {
		for _, s := range followers {
			if s.CacheStatus().Mode == "wal" {
				return false
			}
		}
		return true
	})
	for i, s := range all {
		all[0].exec(fmt.Sprintf("update api.item set price = %d where id = 3", i))
		if a := s.get("/item?id=eq.3&select=price"); a.StatusCode != http.StatusOK {
			t.Error(a.Status)
		}
	}
	current(t, slots, 200)
	server.Restart()
	for _, s := range followers {
		s.live()
	}
	current(t, all, 300)

	eventually(t, "one leads again", func() bool { leader, _, _ = feeds(all); return leader != nil })
	for i, s := range all {
		if s == leader {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			all = append(all[:i], all[i+1:]...)
			break
		}
	}
	current(t, all, 400)
	if got := all[0].slots(); got > "2" {
		t.Errorf("%s slots", got)
	}
}
