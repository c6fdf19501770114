package httpcache_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/httpcache"
)

// request is a kind of request that is a hit after the first.
type request struct {
	path   string
	caller *auth.Caller
	header http.Header
	status int
}

func hits() map[string]request {
	anon := &auth.Caller{Role: "anon", Anonymous: true}
	return map[string]request{
		"anonymous":  {"/items", anon, http.Header{}, 200},
		"own":        {"/own", &auth.Caller{Role: "member", Subject: "ann"}, http.Header{}, 200},
		"br":         {"/items", anon, http.Header{"Accept-Encoding": {"gzip, deflate, br"}}, 200},
		"unchanged":  {"/items", anon, http.Header{"If-None-Match": {"*"}}, 304},
		"directives": {"/items", anon, http.Header{"Cache-Control": {"max-age=0"}}, 200},
	}
}

// newHit is a handler that has the answer, with a request and a writer that both can be used again.
func newHit(t testing.TB, kind request) (http.Handler, http.ResponseWriter, *http.Request) {
	t.Helper()
	c := cache.New(cache.Options{Staleness: time.Hour})
	c.Open()
	c.Heartbeat().Returned()
	s := &source{answer: func(w http.ResponseWriter, _ *http.Request, _ int64) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Range", "0-24/*")
		w.Header().Set("Content-Location", "/items")
		w.Header().Set("Vary", "Accept, Prefer, Range")
		_, _ = io.WriteString(w, strings.Repeat(`{"id":1,"name":"bolt"},`, 100))
	}}
	h := httpcache.New(httpcache.Options{Cache: c, Source: s})
	r := asAnon(kind.path)
	r.Header = kind.header
	r = r.WithContext(auth.WithCaller(r.Context(), kind.caller))
	w := newWriter()
	for range 2 {
		h.ServeHTTP(w, r)
	}
	if w.code != kind.status || w.header.Get("Cache-Status") != "Slipstream; hit" {
		t.Fatalf("%d, %v", w.code, w.header)
	}
	return h, w, r
}

// A hit allocates nothing of its own. What net/http allocates, with its map of header fields, is there already.
func TestHitAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for name, kind := range hits() {
		h, w, r := newHit(t, kind)
		header := w.Header()
		if n := testing.AllocsPerRun(1000, func() {
			clear(header)
			h.ServeHTTP(w, r)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	for name, kind := range hits() {
		b.Run(name, func(b *testing.B) {
			h, w, r := newHit(b, kind)
			header := w.Header()
			b.ReportAllocs()
			for b.Loop() {
				clear(header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
