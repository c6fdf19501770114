package httpcache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/httpcache"
)

func inParallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func asAnon(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	return r.WithContext(auth.WithCaller(r.Context(), &auth.Caller{Role: "anon", Anonymous: true}))
}

// bubble is a handler for tests in virtual time, without a network.
type bubble struct {
	*source
	*httpcache.Handler
	cache *cache.Cache
}

func newBubble(answer func(http.ResponseWriter, *http.Request, int64)) *bubble {
	b := &bubble{source: &source{answer: answer}, cache: cache.New(cache.Options{Clock: func() time.Duration { return 0 }})}
	b.cache.Open()
	b.cache.Heartbeat().Returned()
	b.Handler = httpcache.New(httpcache.Options{Cache: b.cache, Source: b.source})
	return b
}

func (b *bubble) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.Handler.ServeHTTP(w, r) }

// get calls the handler; a panic is code 0.
func (b *bubble) get(ctx context.Context) (w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	w.Code = 0
	defer func() { _ = recover() }()
	r := asAnon("/items")
	b.ServeHTTP(w, r.WithContext(auth.WithCaller(ctx, auth.CallerFrom(r.Context()))))
	return w
}

func TestConcurrentMissesAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(func(w http.ResponseWriter, _ *http.Request, _ int64) {
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "x")
		})
		var stores, hits atomic.Int64
		inParallel(1000, func(int) {
			w := b.get(t.Context())
			switch status := w.Header().Get("Cache-Status"); {
			case w.Body.String() != "x":
				t.Errorf("%d %q", w.Code, w.Body)
			case status == "Slipstream; hit":
				hits.Add(1)
			case status == "Slipstream; fwd=miss; stored":
				stores.Add(1)
			}
		})
		if b.calls.Load() != 1 || stores.Load() != 1 || hits.Load() != 999 {
			t.Errorf("%d calls, %d stored, %d hits", b.calls.Load(), stores.Load(), hits.Load())
		}
	})
}

// Who waits too long goes by itself.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(func(w http.ResponseWriter, _ *http.Request, call int64) {
			if call == 1 {
				time.Sleep(time.Hour)
			}
			_, _ = io.WriteString(w, "x")
		})
		go b.get(t.Context())
		synctest.Wait()
		began := time.Now()
		w := b.get(t.Context())
		if waited := time.Since(began); waited != 2*time.Second || w.Body.String() != "x" {
			t.Errorf("after %s: %d %q", waited, w.Code, w.Body)
		}
		time.Sleep(time.Hour)
	})
}

// The client whose request is fetched leaves; of those who waited, one fetches for all.
func TestClientLeavesDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(func(w http.ResponseWriter, r *http.Request, _ int64) {
			select {
			case <-time.After(time.Second):
				_, _ = io.WriteString(w, "x")
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		})
		ctx, leave := context.WithCancel(t.Context())
		go b.get(ctx)
		synctest.Wait()
		time.AfterFunc(time.Millisecond, leave)
		inParallel(100, func(int) {
			if w := b.get(t.Context()); w.Code != 200 || w.Body.String() != "x" {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
		if n := b.calls.Load(); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
}

// A source that panics leaves no fetch behind that others wait for.
func TestPanicDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(func(w http.ResponseWriter, _ *http.Request, call int64) {
			if call == 1 {
				_, _ = io.WriteString(w, "half an ans")
				panic("a bug")
			}
			_, _ = io.WriteString(w, "x")
		})
		if w := b.get(t.Context()); w.Code != 0 || w.Body.Len() != 0 || len(w.Header()) != 0 {
			t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
		}
		began := time.Now()
		if w := b.get(t.Context()); w.Body.String() != "x" || w.Header().Get("Cache-Status") != "Slipstream; fwd=miss; stored" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
		if time.Since(began) != 0 {
			t.Error("it has waited")
		}
	})
}

// An answer that will not be kept is waited for no longer than until that is known, however slowly its client reads.
func TestNobodyWaitsForASlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(func(w http.ResponseWriter, _ *http.Request, call int64) {
			w.Header().Set("Content-Length", "100000000")
			w.WriteHeader(200)
			if call == 1 {
				time.Sleep(time.Hour)
			}
		})
		go b.get(t.Context())
		synctest.Wait()
		began := time.Now()
		b.get(t.Context())
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited for %s", waited)
		}
		time.Sleep(time.Hour)
	})
}

// A change during a fetch that its answer has not seen: it is given to who asked, and not kept.
func TestChangeDuringAFetch(t *testing.T) {
	s := newRig(t, "")
	s.answer = func(w http.ResponseWriter, _ *http.Request, call int64) {
		if call == 1 {
			s.insert()
		}
		_, _ = io.WriteString(w, "x")
	}
	s.get(t, "/items").check(t, 200, "x", missed)
	s.get(t, "/items").check(t, 200, "x", stored)
}
