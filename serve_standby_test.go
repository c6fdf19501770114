package slipstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// replicated is a server with its cache on and standbys to fill it from.
func replicated(t *testing.T, staleness time.Duration, replicas ...*pgtest.Replica) *site {
	t.Helper()
	t.Setenv("DATABASE_URL", "") // the standbys are those of the tests' own server
	s := newSite(t, cachedTables)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	// Commits are in the log when they are acknowledged, and snapshots must not be those of whole transactions.
	s.exec("alter database " + s.value("select current_database()") + " set synchronous_commit = on")
	s.exec("alter role LOGIN set default_transaction_isolation = 'repeatable read'")
	s.config.CacheMode, s.config.CacheStaleness = "wal", staleness
	for _, r := range replicas {
		s.config.DBReplicas = append(s.config.DBReplicas, r.At(s.config.DBURI))
	}
	s.run()
	s.ready()
	s.live()
	return s
}

// fills waits until standby i fills.
func (s *site) fills(i int) {
	s.t.Helper()
	s.standby(i, "it fills", func(st slipstream.StandbyStatus) bool { return st.Fills })
}

// idle waits until standby i does not fill for a reason.
func (s *site) idle(i int, reason string) {
	s.t.Helper()
	s.standby(i, reason, func(st slipstream.StandbyStatus) bool { return !st.Fills && strings.Contains(st.Reason, reason) })
}

func (s *site) standby(i int, what string, is func(slipstream.StandbyStatus) bool) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("standby %d: %s", i, what), func() bool {
		s.get("/item?id=eq.50") // looks rest while nobody asks
		return is(s.CacheStatus().Standbys[i])
	})
}

// filledBy asks for paths that nobody has asked for until one of them was read from standby i.
func (s *site) filledBy(i int) {
	s.t.Helper()
	before, n := s.CacheStatus().Standbys[i].Used, 0
	eventually(s.t, fmt.Sprintf("standby %d has filled", i), func() bool {
		n++
		s.get(fmt.Sprintf("/item?id=eq.1&limit=%d", 1000+n+int(before)))
		return s.CacheStatus().Standbys[i].Used > before
	})
}

func TestStandbysFillTheCache(t *testing.T) {
	one, two := pgtest.Standby(t), pgtest.Standby(t)
	s := replicated(t, time.Minute, one, two)
	for i, r := range []*pgtest.Replica{one, two} {
		s.fills(i)
		s.filledBy(i)
		const asked = "select count(*) > 0 from pg_stat_activity where datname = current_database() and query like '%slip_page%' and pid <> pg_backend_pid()"
		if pgtest.Value(t, r.At(s.dsn), asked) != "t" {
			t.Errorf("nobody has asked standby %d", i)
		}
	}
	path := "/item?id=eq.7&select=price"
	for price := range 5 {
		want := fmt.Sprintf(`[{"price":%d}]`, price)
		s.exec(fmt.Sprintf("update api.item set price = %d where id = 7", price))
		s.settle()
		if a := s.get(path); a.body != want {
			t.Errorf("%s: %s", want, a.body)
		}
		eventually(t, "it is kept", func() bool { return s.kept(path, "") == "hit" })
		if a := s.get(path); a.body != want {
			t.Errorf("%s out of the cache: %s", want, a.body)
		}
	}
	// Errors and what is not to be kept come from the primary.
	if a := s.get("/item?id=eq.x"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// While its replay stands still, a standby has nothing of what is written, and is not believed.
func TestStandbyWhoseReplayStandsStill(t *testing.T) {
	r := pgtest.Standby(t)
	s := replicated(t, time.Minute, r)
	var before slipstream.StandbyStatus
	for !before.Fills { // something may have it wait until it has replayed more
		r.Resume()
		s.fills(0)
		s.filledBy(0)
		r.Pause()
		before = s.CacheStatus().Standbys[0]
	}
	for n := range 10 { // own writes
		path := fmt.Sprintf("/item?id=eq.%d&select=price", 10+n)
		s.kept(path, "")
		s.write(http.MethodPatch, path, `{"price": 5000}`)
		for range 2 {
			if a := s.get(path); a.body != `[{"price":5000}]` {
				t.Errorf("%s %s", a.body, a.Header["Cache-Status"])
			}
		}
	}
	for n := range 10 { // those of others
		s.exec(fmt.Sprintf("update api.item set price = 6000 where id = %d", 20+n))
		s.settle()
		if a := s.get(fmt.Sprintf("/item?id=eq.%d&select=price", 20+n)); a.body != `[{"price":6000}]` {
			t.Errorf("%s %s", a.body, a.Header["Cache-Status"])
		}
	}
	if after := s.CacheStatus().Standbys[0]; after.Discarded == before.Discarded {
		t.Errorf("nothing was tried: %+v", after)
	}
	// A policy that the standby does not know of.
	ann := s.bearer(`"sub": "ann"`)
	s.exec("alter policy own on api.note using (false)")
	s.settle()
	for n := range 20 {
		if a := s.get(fmt.Sprintf("/note?select=body&limit=%d", 100+n), ann); a.body != "[]" {
			t.Errorf("%s %s", a.body, a.Header["Cache-Status"])
		}
	}
	s.idle(0, "it is to replay")
	r.Resume()
	s.fills(0)
	s.filledBy(0)
}

func TestStandbyThatLags(t *testing.T) {
	r := pgtest.Standby(t)
	s := replicated(t, time.Second, r)
	s.fills(0)
	r.Pause()
	s.idle(0, "behind")
	used := s.CacheStatus().Standbys[0].Used
	for n := range 20 {
		s.get(fmt.Sprintf("/item?id=eq.2&limit=%d", 500+n))
	}
	if st := s.CacheStatus().Standbys[0]; st.Used != used {
		t.Errorf("%+v", st)
	}
	r.Resume()
	s.fills(0)
	s.filledBy(0)

	// It ends and comes back, and nobody notices.
	var asking sync.WaitGroup
	over := make(chan struct{})
	for c := range 3 {
		asking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				path := fmt.Sprintf("/item?id=eq.%d&limit=%d&select=name", 1+c, 5000+n)
				if a, err := s.try(http.MethodGet, path); err != nil || a.body != fmt.Sprintf(`[{"name":"item %d"}]`, 1+c) {
					t.Errorf("%s: %s, %v", path, a.body, err)
				}
			}
		})
	}
	r.Stop()
	s.idle(0, "cannot be looked at")
	r.Start()
	s.fills(0)
	s.filledBy(0)

	// It becomes a primary: what is written there has never been in our database.
	r.Promote()
	pgtest.Exec(t, r.At(s.dsn), "update api.item set name = 'of another history'")
	s.idle(0, "it is no standby")
	close(over)
	asking.Wait()
	if a := s.get("/item?name=eq.of%20another%20history"); a.body != "[]" {
		t.Error(a.body)
	}
}

func TestStandbysThatCannotBe(t *testing.T) {
	for uri, want := range map[string]string{
		"postgres://u:hush@a,b/shop":  "several hosts",
		"postgres://other:hush@a/db":  "the user must be that of db-uri",
		"postgres://u:hush@a:port/db": "no connection URI",
		"host=a password=hush":        "no connection URI",
	} {
		_, err := slipstream.New(t.Context(), slipstream.Config{DBURI: "postgres://u@p/db", DBReplicas: []string{uri}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	twice := []string{"postgres://u:hush@a/db", "postgres://u:hush@a:5432/db"}
	_, err := slipstream.New(t.Context(), slipstream.Config{DBURI: "postgres://u@p/db", DBReplicas: twice})
	if err == nil || !strings.Contains(err.Error(), "a:5432 is there twice") || strings.Contains(err.Error(), "hush") {
		t.Errorf("the same server twice: %v", err)
	}
}
