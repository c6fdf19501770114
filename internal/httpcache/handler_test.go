package httpcache_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/httpcache"
)

func TestHit(t *testing.T) {
	s := newRig(t, `[{"id":1}]`)
	s.get(t, "/items").check(t, 200, `[{"id":1}]`, stored, "Age:", "Cache-Control: no-cache", "Vary: Accept-Encoding")
	s.get(t, "/items").check(t, 200, `[{"id":1}]`, hit, "Age: 0", "Content-Length: 10", "Content-Type: application/json",
		"Cache-Control: no-cache", "Vary: Accept-Encoding")
	s.asked(t, 1)
	s.get(t, "/items", "Authorization: ann").check(t, 200, "*", stored, "Cache-Control: private, no-cache")
	s.get(t, "/items", "Authorization: bob").check(t, 200, "*", hit, "Cache-Control: private, no-cache") // of the same role
	s.get(t, "/items?id=eq.1").check(t, 200, "*", stored)
	s.get(t, "/items", "Accept: text/csv").check(t, 200, "*", stored)
	s.insert()
	s.get(t, "/items").check(t, 200, "*", stored)
}

func TestSilent(t *testing.T) {
	s := newRig(t, "x", func(o *httpcache.Options) { o.Silent = true })
	for _, path := range []string{"/items", "/items", "/never"} {
		s.get(t, path).check(t, 200, "x", "Cache-Status:")
	}
	s.asked(t, 2)
}

func TestAge(t *testing.T) {
	s := newRig(t, "x")
	s.get(t, "/items")
	for i, c := range []struct {
		later time.Duration
		age   string
	}{{999 * time.Millisecond, "Age: 0"}, {time.Millisecond, "Age: 1"}} {
		s.now.Add(int64(c.later))
		s.get(t, "/items").check(t, 200, "x", hit, c.age)
		if i == 0 {
			s.get(t, "/items", "Cache-Control: max-age=0").check(t, 200, "x", hit)
		}
	}
	const older = `Cache-Status: Slipstream; fwd=request; detail="is older than the request's max-age"`
	s.get(t, "/items", "Cache-Control: max-age=0").check(t, 200, "x", older, "Age:")
	s.get(t, "/items", "Cache-Control: max-age=1").check(t, 200, "x", hit)
	s.get(t, "/items", "Cache-Control: max-age=soon").check(t, 200, "x", hit)
	s.beat()
	s.get(t, "/items", "Cache-Control: max-age=0").check(t, 200, "x", hit, "Age: 0")
	s.now.Add(int64(time.Second + 1))
	s.get(t, "/items").check(t, 200, "x", stored) // the lease has expired
	s.get(t, "/items").check(t, 200, "x", stored)
}

func TestRequestDirectives(t *testing.T) {
	s := newRig(t, "x")
	const bypassed = `Cache-Status: Slipstream; fwd=request; detail="the request says no-cache"`
	s.get(t, "/items", "Cache-Control: only-if-cached").check(t, 504, "", "Cache-Control: no-store")
	s.asked(t, 0)
	s.get(t, "/items", "Cache-Control: no-store").check(t, 200, "x", bypassed)
	s.get(t, "/items").check(t, 200, "x", stored)
	s.get(t, "/items", "Cache-Control: only-if-cached").check(t, 200, "x", hit)
	s.asked(t, 2)
	for _, d := range []string{"no-cache", "No-Cache", "max-age=9, no-cache", "no-store"} {
		s.get(t, "/items", "Cache-Control: "+d).check(t, 200, "x", bypassed, "Age:")
	}
	s.asked(t, 6)
	s.get(t, "/items", "Cache-Control: no-cache, only-if-cached").check(t, 504, "")
	s.get(t, "/never", "Cache-Control: only-if-cached").check(t, 504, "")
	s.asked(t, 6)
	for _, d := range []string{"no-transform", "x-no-cache", "min-fresh=3"} {
		s.get(t, "/items", "Cache-Control: "+d).check(t, 200, "x", hit)
	}
}

// The detail of a bypass is a string of RFC 8941, whatever is in the reason.
func TestBypass(t *testing.T) {
	s := newRig(t, "x")
	for range 2 {
		s.get(t, "/never").check(t, 200, "x", `Cache-Status: Slipstream; fwd=bypass; detail="is ?never? kept: ? ?"`,
			"Cache-Control: no-cache", "Etag:", "Vary:")
	}
	s.asked(t, 2)
	s.get(t, "/items")
	s.send(t, "POST", "/items").check(t, 200, "x", "Cache-Status:", "Cache-Control:")
	s.asked(t, 4)
}

func TestClosedCache(t *testing.T) {
	s := newRig(t, "x")
	s.get(t, "/items")
	s.cache.Suspend("the test says so")
	s.get(t, "/items", `If-None-Match: "x"`).check(t, 200, "x", "Cache-Status:", "Etag:")
	s.cache.Open()
	s.get(t, "/items").check(t, 200, "x", hit)
}

func TestHead(t *testing.T) {
	s := newRig(t, strings.Repeat("x", 5000))
	s.send(t, "HEAD", "/items").check(t, 200, "",
		`Cache-Status: Slipstream; fwd=bypass; detail="is not stored, and HEAD has no body to store"`)
	get := s.get(t, "/items")
	s.send(t, "HEAD", "/items").check(t, 200, "", hit, "Content-Length: 5000", "Etag: "+get.Header.Get("ETag"))
	s.send(t, "HEAD", "/items", "Accept-Encoding: gzip").check(t, 200, "", hit, "Content-Encoding: gzip",
		"Content-Length: "+fmt.Sprint(len(s.get(t, "/items", "Accept-Encoding: gzip").body)))
	s.send(t, "HEAD", "/items", "If-None-Match: *").check(t, 304, "", hit)
	s.asked(t, 2)
}

// A source that has changed makes its shapes anew, and what it fetched by an old one is not kept.
func TestShapeIsMadeAnew(t *testing.T) {
	s := newRig(t, "x")
	s.get(t, "/items").check(t, 200, "x", stored)
	s.stale.Store(true)
	s.get(t, "/other").check(t, 200, "x", `Cache-Status: Slipstream; fwd=bypass; detail="the schema was read again meanwhile"`)
	s.stale.Store(false)
	s.get(t, "/other").check(t, 200, "x", stored)
}

func TestNobodyKnownIsTheSourcesConcern(t *testing.T) {
	s := newRig(t, "x")
	h := httpcache.New(httpcache.Options{Cache: s.cache, Source: s.source})
	for range 2 {
		w := newWriter()
		r, _ := http.NewRequest("GET", "/items", nil)
		h.ServeHTTP(w, r)
		if w.code != 200 || w.header.Get("Cache-Status") != "" {
			t.Errorf("%d, %v", w.code, w.header)
		}
	}
	s.asked(t, 2)
}

// writer is the least that is an http.ResponseWriter.
type writer struct {
	header  http.Header
	code    int
	written int64
}

func newWriter() *writer { return &writer{header: http.Header{}} }

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(code int) { w.code = code }

func (w *writer) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = 200
	}
	w.written += int64(len(b))
	return len(b), nil
}
