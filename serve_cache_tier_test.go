package slipstream_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

// sharing is a server that keeps answers and shares them through a Redis of the test's own.
func sharing(t *testing.T, sql string) (*site, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t)
	return cached(t, sql, func(c *slipstream.Config) { c.RedisURL = server.URL() }), server
}

// twin is another server on the same database.
func (s *site) twin(change ...func(*slipstream.Config)) *site {
	s.t.Helper()
	twin := *s
	for _, f := range change {
		f(&twin.config)
	}
	twin.run()
	twin.ready()
	twin.live()
	return &twin
}

// lend has the server fetch answers to a query, each by another limit, until one is shared.
func (s *site) lend(query, token string) (path, body string) {
	s.t.Helper()
	eventually(s.t, query+" is shared", func() bool {
		path = query + "&limit=" + strconv.Itoa(1000+rand.IntN(1<<30))
		before := s.CacheStatus().Shared
		body, _ = s.cachedGet(path, token)
		for wait := time.Now().Add(time.Second); time.Now().Before(wait); time.Sleep(time.Millisecond) {
			if now := s.CacheStatus().Shared; now.Sent > before.Sent {
				return true
			} else if now.Dropped+now.Failed > before.Dropped+before.Failed {
				break
			}
		}
		return false
	})
	return path, body
}

// borrows reports whether a server takes answers over that another one lends; tries it often enough.
func borrows(from, to *site, query, token string) bool {
	from.t.Helper()
	for range 25 {
		path, want := from.lend(query, token)
		body, status := to.cachedGet(path, token)
		if body != want {
			from.t.Errorf("%s: %s, want %s (%s)", path, body, want, status)
		}
		if strings.Contains(status, "shared") {
			return true
		}
		time.Sleep(10 * time.Millisecond) // another heartbeat
	}
	return false
}

func TestInstancesShareAnswers(t *testing.T) {
	one, _ := sharing(t, "")
	two := one.twin()
	ann, bob := one.bearer(`"sub": "ann"`), one.bearer(`"sub": "bob"`)
	for _, tc := range []struct{ query, token string }{
		{"/item?id=eq.1", ""}, {"/item?select=name&price=lt.35", ""}, {"/item?select=id,note(body)&id=eq.1", ann},
		{"/note?select=body", ann}, {"/item?id=eq.1000", ""},
	} {
		if !borrows(one, two, tc.query, tc.token) || !borrows(two, one, tc.query, tc.token) {
			t.Errorf("%s: not shared: %+v %+v", tc.query, one.CacheStatus().Shared, two.CacheStatus().Shared)
		}
	}
	// What is shared is the caller's own still.
	path, _ := one.lend("/note?select=body", ann)
	if body, status := two.cachedGet(path, bob); body != `[{"body":"of bob"}]` {
		t.Errorf("bob got %s (%s)", body, status)
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", strings.TrimPrefix(bob, "Authorization: "))
	if e, err := two.ExplainCache(r); err != nil || e.Entry == nil || e.Entry.Shared {
		t.Errorf("%+v, %v", e.Entry, err)
	}
}

// What somebody changes is old everywhere, however it was come by.
func TestSharedAnswersAreDropped(t *testing.T) {
	one, _ := sharing(t, "")
	two := one.twin()
	for i := range 15 {
		price := strconv.Itoa(1000 + i)
		before, _ := one.lend("/item?select=price&id=eq.7", "")
		two.cachedGet(before, "")
		one.exec("update api.item set price = " + price + " where id = 7")
		after, _ := one.lend("/item?select=price&id=eq.7", "") // perhaps fetched before the change has arrived at either
		one.settle()
		two.settle()
		for _, path := range []string{before, after, "/item?select=price&id=eq.7"} {
			for _, s := range []*site{one, two} {
				if body, status := s.cachedGet(path, ""); body != `[{"price":`+price+`}]` {
					t.Fatalf("change %d: %s: %s (%s)", i, path, body, status)
				}
			}
		}
	}
}

// A change of what decides what callers see leaves nothing of before, although the Redis has it still.
func TestSharedAnswersOfOtherPoliciesAreNotTakenOver(t *testing.T) {
	one, _ := sharing(t, "")
	two := one.twin()
	ann := one.bearer(`"sub": "ann"`)
	policies := []string{
		"alter policy own on api.note using (true)",
		"alter policy own on api.note using (owner = (current_setting('request.jwt.claims', true)::json ->> 'sub'))",
		"alter table api.note add column extra int", "alter table api.note drop column extra",
		"alter role MEMBER bypassrls", "alter role MEMBER nobypassrls",
		"alter role MEMBER set timezone = 'Asia/Tokyo'", "alter role MEMBER reset all",
	}
	for _, sql := range policies {
		for _, s := range []*site{one, two} {
			eventually(t, "it is open", func() bool { return s.CacheStatus().Mode == "wal" })
		}
		path, _ := one.lend("/note?select=*&order=id", ann)
		before := two.get(path, ann, "Cache-Control: no-cache").body
		one.exec(sql)
		var direct string
		eventually(t, sql+" counts", func() bool { // a session's plans may be of before a change of BYPASSRLS for a while
			direct = two.get(path, ann, "Cache-Control: no-cache").body
			return direct != before || strings.HasSuffix(sql, "'Asia/Tokyo'") || strings.HasSuffix(sql, "reset all")
		})
		eventually(t, sql+" is noticed", func() bool {
			first, _ := one.cachedGet(path, ann)
			second, _ := two.cachedGet(path, ann)
			return first == direct && second == direct
		})
		for _, s := range []*site{one, two} {
			s.settle()
			if body, status := s.cachedGet(path, ann); body != direct {
				t.Errorf("%s: %s, want %s (%s)", sql, body, direct, status)
			}
		}
	}
}

// Who may answer differently takes nothing over.
func TestStrangersTakeNothingOver(t *testing.T) {
	one, _ := sharing(t, "")
	other := pgtest.Role(t, "login noinherit replication")
	one.exec("grant ANON, MEMBER to " + other + "; alter role " + other + " set timezone = 'Asia/Tokyo'")
	two := one.twin()
	eventually(t, "answers are shared", func() bool { return borrows(one, two, "/item?id=eq.1", "") }) // once both know of the role
	for what, change := range map[string]func(*slipstream.Config){
		"another secret":              func(c *slipstream.Config) { c.CursorSecret = strings.Repeat("x", 40) },
		"another option":              func(c *slipstream.Config) { c.DBMaxRows = 1000 },
		"another policy of the cache": func(c *slipstream.Config) { c.CacheTags = "cache-tag" },
		"another setting":             func(c *slipstream.Config) { c.AppSettings = map[string]string{"x": "y"} },
		"another role":                func(c *slipstream.Config) { c.DBURI = one.dsnAs(other) },
		"another session":             func(c *slipstream.Config) { c.DBURI = one.dsnAs(one.login) + "&timezone=Asia%2FTokyo" },
	} {
		t.Run(what, func(t *testing.T) {
			stranger := one.twin(change)
			for range 5 {
				path, _ := one.lend("/item?id=eq.1", "")
				stranger.cachedGet(path, "")
			}
			if n := stranger.CacheStatus().Shared.Hits; n > 0 {
				t.Errorf("%d answers were taken over", n)
			}
			if err := stranger.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever becomes of the Redis, requests are answered, and rightly.
func TestARedisThatFails(t *testing.T) {
	one, server := sharing(t, "")
	two := one.twin()
	if !borrows(one, two, "/item?id=eq.1", "") {
		t.Fatalf("not shared: %+v", one.CacheStatus().Shared)
	}
	each := func(script string) {
		server.Do("EVAL", "for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('TYPE', k).ok == 'string' then "+script+" end end", "0")
	}
	for _, trouble := range []struct {
		what           string
		cause, relieve func()
	}{
		{"it is flushed", func() { server.Do("FLUSHALL") }, func() {}},
		{"it has garbage", func() { each("redis.call('SET', k, 'garbage')") }, func() {}},
		{"entries are cut", func() { each("redis.call('SET', k, string.sub(redis.call('GET', k), 1, -2))") }, func() { server.Do("FLUSHALL") }},
		{"entries are lists", func() { each("redis.call('DEL', k) redis.call('LPUSH', k, 'x')") }, func() { server.Do("FLUSHALL") }},
		{"it is full", func() { server.Do("CONFIG", "SET", "maxmemory", "1") }, func() { server.Do("CONFIG", "SET", "maxmemory", "0") }},
		{"it evicts", func() {
			server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
			server.Do("CONFIG", "SET", "maxmemory", "2mb")
		}, func() { server.Do("CONFIG", "SET", "maxmemory", "0") }},
		{"it stands still", server.Pause, server.Resume},
		{"it is killed", server.Kill, server.Restart},
	} {
		t.Run(trouble.what, func(t *testing.T) {
			trouble.cause()
			var reading sync.WaitGroup
			for i := range 4 {
				s := []*site{one, two}[i%2]
				reading.Go(func() {
					for n := range 60 {
						id := 1 + n%50
						a, err := s.try(http.MethodGet, fmt.Sprintf("/item?select=id&id=eq.%d&limit=%d", id, 1000+rand.IntN(20)))
						if err != nil || a.body != fmt.Sprintf(`[{"id":%d}]`, id) {
							t.Error(a.body, err)
						}
					}
				})
			}
			reading.Wait()
			trouble.relieve()
			eventually(t, "answers are shared again", func() bool { return borrows(one, two, "/item?id=eq.1", "") })
		})
	}
}
