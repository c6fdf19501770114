package httpcache_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

// Horizon lets answers be shared.
func (s upTo) Horizon() cache.Horizon { return cache.Horizon{Xid: uint64(s) + 1} }

const shared = `Cache-Status: Slipstream; hit; detail="shared"`

// instance is a rig that shares answers.
type instance struct {
	*rig
	tier *redis.Tier
	term atomic.Uint64 // of its namespace; 0: none
}

// lender makes a server that shares its answers through a Redis.
func lender(t testing.TB, client *redis.Client, secret, body string) *instance {
	t.Helper()
	tier, err := client.Tier([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { tier.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	i := &instance{tier: tier}
	i.term.Store(1)
	c := cache.New(cache.Options{Tier: tier, Clock: func() time.Duration { return 0 }})
	i.rig = newRig(t, body, func(o *httpcache.Options) {
		o.Cache = c
		o.Namespace = func() httpcache.Namespace {
			if i.term.Load() == 0 {
				return httpcache.Namespace{}
			}
			return httpcache.Namespace{ID: [32]byte{1}, Term: i.term.Load()}
		}
	})
	i.cache = c
	i.version = [32]byte{1}
	i.xid.Store(100)
	i.cache.Open()
	i.beatTwice()
	return i
}

// borrower makes one that takes answers over, and shares none of its own.
func borrower(t testing.TB, client *redis.Client, secret, body string) *instance {
	t.Helper()
	i := lender(t, client, secret, body)
	own := i.answer
	i.answer = func(w http.ResponseWriter, r *http.Request, n int64) {
		if i.term.Load() > 0 {
			i.term.Add(1)
		}
		own(w, r, n)
	}
	return i
}

// lend fetches an answer until it is shared: a busy machine may keep it from that.
func (i *instance) lend(t testing.TB, path string, headers ...string) (a answer) {
	t.Helper()
	for {
		before := i.tier.Stats()
		a = i.get(t, path, headers...)
		now := before
		eventually(t, "it is sent", func() bool {
			now = i.tier.Stats()
			return now != before && now.Queued == 0
		})
		if now.Sent > before.Sent {
			return a
		}
		i.cache.Flush()
		i.beatTwice()
	}
}

// beatTwice makes dates: the first tells an id.
func (i *instance) beatTwice() {
	for range 2 {
		h := i.cache.Heartbeat()
		h.Committed(cache.Horizon{Xid: 50, LSN: 50})
		h.Returned()
	}
}

func connect(t testing.TB) (*redistest.Server, *redis.Client) {
	t.Helper()
	server := redistest.Start(t)
	client, err := redis.Open(redis.Options{URL: server.URL(), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	eventually(t, "Redis is there", func() bool { return client.Conn() != nil })
	return server, client
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// adopts asks for a path until the answer comes from the tier: it gets there a little later, and a busy machine may keep it.
// In between the answers of before are dropped.
func (i *instance) adopts(t testing.TB, path string, headers ...string) (a answer) {
	t.Helper()
	eventually(t, "a shared hit of "+path, func() bool {
		a = i.get(t, path, headers...)
		if "Cache-Status: "+a.Header.Get("Cache-Status") == shared {
			return true
		}
		i.cache.Flush()
		i.beatTwice()
		return false
	})
	return a
}

func TestAnswersOfOtherProcesses(t *testing.T) {
	_, client := connect(t)
	long := strings.Repeat("a long body that is worth encoding ", 100)
	one, two := lender(t, client, "secret", long), borrower(t, client, "secret", "another body")
	one.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
		w.Header()["Link"] = []string{"<a>", "<b>"}
		w.Header().Set("Content-Type", "text/csv")
		w.Header().Set("Vary", "Accept, Prefer")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, long)
	}
	first := one.lend(t, "/items")
	first.check(t, 206, long, stored)
	got := two.adopts(t, "/items")
	got.check(t, 206, long, shared, "Content-Type: text/csv", "Link: <a> | <b>", "Vary: Accept, Prefer | Accept-Encoding", "Etag: "+first.Header.Get("Etag"))
	two.get(t, "/items").check(t, 206, long, hit)
	two.get(t, "/items", "If-None-Match: "+first.Header.Get("Etag")).check(t, 304, "", hit)
	if a := two.get(t, "/items", "Accept-Encoding: gzip"); a.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", a.Header)
	}
	two.insert()
	if a := two.get(t, "/items"); a.body != "another body" {
		t.Errorf("after a change: %s %.40s", a.Header.Get("Cache-Status"), a.body)
	}
}

// What was fetched for one caller is not given to another, in no process.
func TestAnswersOfOtherProcessesAreTheCallersOwn(t *testing.T) {
	_, client := connect(t)
	one, two := lender(t, client, "secret", "ann's"), borrower(t, client, "secret", "bob's")
	one.lend(t, "/own", "Authorization: ann").check(t, 200, "ann's", stored)
	two.adopts(t, "/own", "Authorization: ann").check(t, 200, "ann's")
	two.get(t, "/own", "Authorization: bob").check(t, 200, "bob's", stored)
	two.get(t, "/own").check(t, 200, "bob's", stored)
}

// Each of these makes two processes strangers.
func TestStrangersShareNothing(t *testing.T) {
	for name, differ := range map[string]func(one, two *instance, client *redis.Client){
		"another version":      func(_, two *instance, _ *redis.Client) { two.version = [32]byte{2} },
		"no version":           func(_, two *instance, _ *redis.Client) { two.version = [32]byte{} },
		"no namespace":         func(_, two *instance, _ *redis.Client) { two.term.Store(0) },
		"nobody has namespace": func(one, _ *instance, _ *redis.Client) { one.term.Store(0) },
		"the namespace changes while it is fetched": func(one, _ *instance, _ *redis.Client) {
			one.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
				one.term.Add(1)
				_, _ = io.WriteString(w, "one")
			}
		},
		"the source changes while it is fetched": func(one, _ *instance, _ *redis.Client) {
			one.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
				one.stale.Store(true)
				_, _ = io.WriteString(w, "one")
			}
		},
		"a limit of the age": func(_, two *instance, _ *redis.Client) {},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := connect(t)
			one, two := lender(t, client, "secret", "one"), borrower(t, client, "secret", "two")
			differ(one, two, client)
			var headers []string
			if name == "a limit of the age" {
				headers = []string{"Cache-Control: max-age=0"}
			}
			one.get(t, "/items").check(t, 200, "one")
			eventually(t, "nothing is on the way", func() bool { return one.tier.Stats().Queued == 0 })
			if s := one.tier.Stats(); strings.Contains(name, "while") || strings.HasPrefix(name, "nobody") {
				if s.Queued > 0 || s.Sent > 0 {
					t.Errorf("%+v: it was shared", s)
				}
			}
			two.get(t, "/items", headers...).check(t, 200, "two", stored)
		})
	}
}

func TestAnotherSecretOpensNothing(t *testing.T) {
	_, client := connect(t)
	one, two := lender(t, client, "secret", "one"), borrower(t, client, "another", "two")
	one.lend(t, "/items").check(t, 200, "one", stored)
	eventually(t, "it is found out", func() bool {
		two.cache.Flush()
		two.get(t, "/items").check(t, 200, "two", stored)
		return two.cache.Stats().Refused[cache.RefuseGarbled] > 0
	})
}

// Those who wait for the same answer get it from the tier, too.
func TestWaitersShareWhatIsTakenOver(t *testing.T) {
	server, client := connect(t)
	one, two := lender(t, client, "secret", "one"), borrower(t, client, "secret", "two")
	one.lend(t, "/items").check(t, 200, "one", stored)
	two.adopts(t, "/items")
	two.cache.Flush()
	two.beatTwice()
	before := two.calls.Load()
	server.Pause()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a, err := two.try(t, http.MethodGet, "/items"); err != nil || a.StatusCode != 200 {
				t.Error(a, err)
			}
		})
	}
	all.Wait()
	if n := two.calls.Load() - before; n != 1 {
		t.Errorf("%d calls, want one: Redis stood still", n)
	}
	server.Resume()
}

func FuzzSharedAnswer(f *testing.F) {
	f.Add(httpcache.EncodedAnswer("a body", "Content-Type", "text/csv"))
	f.Fuzz(func(t *testing.T, b []byte) { httpcache.ServeEncoded(t, b) })
}
