package httpcache_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/httpcache"
)

// What is each caller's own is told to nobody else, with whatever the other one sends.
func TestAttackAnswerOfAnotherCaller(t *testing.T) {
	s := newRig(t, "")
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int64) {
		_, _ = w.Write([]byte("of " + callerOf(r).Subject))
	}
	tag := s.get(t, "/own", "Authorization: ann").Header.Get("ETag")
	for _, headers := range [][]string{
		nil, {"If-None-Match: " + tag}, {"If-None-Match: *"}, {"Cache-Control: only-if-cached"}, {"Cache-Control: max-age=99"},
		{"X-Original-Url: /own"}, {"X-Forwarded-User: ann"}, {"Accept-Encoding: br"}, {"Range: bytes=0-1"},
		{"Authorization: bob"}, {"Authorization: bob", "Authorization: ann"}, {"Authorization: ann "}, {"Authorization: ANN"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.send(t, method, "/own", headers...)
			if len(headers) == 1 && headers[0] == "Authorization: ann " {
				continue // net/http trims it: this is ann
			}
			if a.body == "of ann" || a.Header.Get("ETag") == tag || a.StatusCode == 304 && headers[0] != "If-None-Match: *" {
				t.Errorf("%s %q: %d %s", method, headers, a.StatusCode, a.body)
			}
		}
	}
}

// The field is a list of structured items (RFC 9211, RFC 8941), whatever the reasons say.
func TestCacheStatusSyntax(t *testing.T) {
	syntax := regexp.MustCompile(`^Slipstream(; hit|; fwd=(miss|bypass|request))?(; stored)?(; detail="[ !#-\[\]-~]*")?$`)
	s := newRig(t, "x")
	for _, path := range []string{"/items", "/items", "/never"} {
		for _, header := range []string{"X: y", "Cache-Control: no-cache", "Cache-Control: only-if-cached", `If-None-Match: "`} {
			if got := s.get(t, path, header).Header.Values("Cache-Status"); len(got) != 1 || !syntax.MatchString(got[0]) {
				t.Errorf("%s, %s: %q", path, header, got)
			}
		}
	}
}

func TestHTTP2(t *testing.T) {
	s := newRig(t, strings.Repeat("x", 5000))
	plain, second := s.server, httptest.NewUnstartedServer(s.server.Config.Handler)
	second.EnableHTTP2 = true
	second.StartTLS()
	defer second.Close()
	s.server = second
	first := s.get(t, "/items")
	first.check(t, 200, "*", stored)
	if first.ProtoMajor != 2 {
		t.Fatalf("%s", first.Proto)
	}
	s.get(t, "/items", "accept-encoding: zstd").check(t, 200, "*", hit, "Content-Encoding: zstd", "X-Request-Id:")
	s.get(t, "/items", "if-none-match: "+first.Header.Get("ETag")).check(t, 304, "", hit)
	s.send(t, "HEAD", "/items").check(t, 200, "", hit, "Content-Length: 5000")
	s.server = plain
	s.get(t, "/items").check(t, 200, "*", hit) // the same entry for HTTP/1.1
}

// bodyWriter keeps the body.
type bodyWriter struct {
	*writer
	body []byte
}

func (w *bodyWriter) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return w.writer.Write(b)
}

// FuzzFields sends any conditions, encodings and directives: the answer is the same or none.
func FuzzFields(f *testing.F) {
	f.Add(`"a", W/"b"`, "br;q=0.5, *;q=0", "max-age=0")
	f.Add(`*`, "identity;q=0, gzip", "no-cache, only-if-cached")
	f.Add(`"`, ";q=1,,", "max-age=99999999999999999999")
	body := strings.Repeat(`{"id":1},`, 300)
	s := &source{answer: func(w http.ResponseWriter, _ *http.Request, _ int64) { _, _ = w.Write([]byte(body)) }}
	c := cache.New(cache.Options{Staleness: 1 << 60})
	c.Open()
	c.Heartbeat().Returned()
	h := httpcache.New(httpcache.Options{Cache: c, Source: s})
	f.Fuzz(func(t *testing.T, none, accepts, control string) {
		r := asAnon("/items")
		r.Header = http.Header{"If-None-Match": {none}, "Accept-Encoding": {accepts}, "Cache-Control": {control}}
		w := &bodyWriter{writer: newWriter()}
		h.ServeHTTP(w, r)
		encoding := w.header.Get("Content-Encoding")
		switch {
		case w.code == 200 && decode(t, encoding, string(w.body)) != body:
			t.Errorf("another body, encoded as %q", encoding)
		case encoding != "" && !strings.Contains(strings.ToLower(accepts), encoding) && !strings.Contains(accepts, "*"):
			t.Errorf("%q for who accepts %q", encoding, accepts)
		case w.code == 304 && !strings.Contains(none, strings.Trim(w.header.Get("Etag"), `"`)[:32]) && !strings.Contains(none, "*"):
			t.Errorf("304 for %q", none)
		case w.code != 200 && w.code != 304 && w.code != 504:
			t.Errorf("status %d", w.code)
		}
	})
}
