package httpcache_test

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/httpcache"
)

// Answers that there is nothing are kept, and dropped by an insert.
func TestNegativeAnswersAreKept(t *testing.T) {
	for _, code := range []int{200, 206, 406, 416} {
		s := newRig(t, "")
		s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
			w.Header().Set("Content-Range", "*/0")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "[]")
		}
		s.get(t, "/items").check(t, code, "[]", stored)
		s.get(t, "/items").check(t, code, "[]", hit, "Content-Range: */0")
		if code > 206 {
			s.get(t, "/items", "If-None-Match: *").check(t, code, "[]", hit, "Etag:") // RFC 9110, section 13.2.1
		}
		s.insert()
		s.get(t, "/items").check(t, code, "[]", stored)
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	s := newRig(t, "")
	for _, code := range []int{201, 204, 301, 304, 400, 401, 403, 404, 429, 500, 502, 503, 504} {
		s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) { w.WriteHeader(code) }
		s.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		path := "/items?" + strconv.Itoa(code)
		before := s.calls.Load()
		for range 2 {
			s.get(t, path).check(t, code, "", missed, "Cache-Control: no-cache")
		}
		s.asked(t, before+2)
	}
	if n := s.cache.Stats().Entries; n != 0 {
		t.Errorf("%d entries", n)
	}
}

// What may be meant for one client or one connection makes an answer one of that client.
func TestAnswersWithFieldsOfOneClientAreNotKept(t *testing.T) {
	s := newRig(t, "")
	for _, name := range []string{
		"Set-Cookie", "Set-Cookie2", "Cache-Control", "Authorization", "WWW-Authenticate", "Location", "Connection", "Keep-Alive",
		"Transfer-Encoding", "Trailer", http.TrailerPrefix + "X", "Content-Encoding", "Access-Control-Allow-Origin", "X-Request-Id",
		"Traceparent", "Clear-Site-Data", "Refresh", "Age", "Expires", "X-Custom",
	} {
		s.answer = func(w http.ResponseWriter, _ *http.Request, call int64) {
			w.Header()[http.CanonicalHeaderKey(name)] = []string{"identity"}
			_, _ = io.WriteString(w, strconv.FormatInt(call, 10))
		}
		path := "/items?" + name
		first, second := s.get(t, path), s.get(t, path)
		if first.body == second.body || second.Header.Get("Cache-Status") != "Slipstream; fwd=miss" {
			t.Errorf("an answer with %s was kept", name)
		}
	}
}

// Fields that are about the answer go with it, those of the exchange do not.
func TestFieldsOfAHit(t *testing.T) {
	s := newRig(t, "")
	about := http.Header{
		"Content-Type": {"text/csv"}, "Content-Range": {"0-1/*"}, "Content-Location": {"/items?id=eq.1"}, "Content-Profile": {"api"},
		"Preference-Applied": {"count=exact"}, "Link": {"<a>", "<b>"}, "Warning": {`299 x "y"`}, "Vary": {"Accept, Prefer", "Range"},
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request, call int64) {
		for name, values := range about {
			w.Header()[name] = values
		}
		w.Header().Set("Server-Timing", "db;dur="+strconv.FormatInt(call, 10))
		_, _ = io.WriteString(w, "a,b")
	}
	s.get(t, "/items", "X-Request-Id: 1").check(t, 200, "a,b", stored, "Server-Timing: db;dur=1", "X-Request-Id: 1")
	for _, values := range about {
		values[0] = "changed" // the cache has its own copy
	}
	s.get(t, "/items", "X-Request-Id: 2").check(t, 200, "a,b", hit, "Server-Timing:", "X-Request-Id: 2",
		"Content-Type: text/csv", "Content-Range: 0-1/*", "Content-Location: /items?id=eq.1", "Content-Profile: api",
		"Preference-Applied: count=exact", "Link: <a> | <b>", `Warning: 299 x "y"`, "Vary: Accept, Prefer | Range | Accept-Encoding")
}

// Whoever is around the handler may set fields and add to those of an answer, and the next caller sees nothing of it.
func TestFieldsAroundStayWithTheirAnswer(t *testing.T) {
	s := newRig(t, "x")
	h := httpcache.New(httpcache.Options{Cache: s.cache, Source: s.source})
	for i := range 3 {
		w := newWriter()
		w.header["Vary"] = append(make([]string, 0, 4), "Origin")
		w.header.Set("Access-Control-Allow-Origin", "https://"+strconv.Itoa(i))
		h.ServeHTTP(w, asAnon("/items"))
		if got := strings.Join(w.header["Vary"], "|"); got != "Origin|Accept-Encoding" {
			t.Errorf("Vary: %s", got)
		}
		for name := range w.header {
			w.header.Add(name, "mine")
		}
	}
	w := newWriter()
	h.ServeHTTP(w, asAnon("/items"))
	for name, values := range w.header {
		for _, v := range values {
			if v == "mine" || name == "Access-Control-Allow-Origin" {
				t.Errorf("%s: %s", name, values)
			}
		}
	}
}

// An answer over the limit goes to the client as it comes: its first part arrives before its last is made.
func TestLargeAnswersPassThrough(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "not announced": false} {
		t.Run(name, func(t *testing.T) {
			s := newRig(t, "")
			const size, piece = 100 << 20, 1 << 20
			arrived := make(chan struct{})
			s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
				if announced {
					w.Header().Set("Content-Length", strconv.Itoa(size))
				}
				for i := range size / piece {
					if i == 50 {
						<-arrived
					}
					_, _ = w.Write(make([]byte, piece))
				}
			}
			response, err := s.server.Client().Get(s.server.URL + "/items")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body := bufio.NewReader(response.Body)
			if _, err := io.CopyN(io.Discard, body, 40*piece); err != nil {
				t.Fatal(err)
			}
			close(arrived)
			if n, err := io.Copy(io.Discard, body); err != nil || n != size-40*piece {
				t.Errorf("%d bytes more, %v", n, err)
			}
			answer{response, ""}.check(t, 200, "", missed, "Etag:")
			if n := s.cache.Stats().Entries; n != 0 {
				t.Errorf("%d entries", n)
			}
		})
	}
}

// What a source flushes, the client has at once.
func TestFlushedAnswersPassThrough(t *testing.T) {
	s := newRig(t, "")
	arrived := make(chan struct{})
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "one\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-arrived
		_, _ = io.WriteString(w, "two\n")
	}
	response, err := s.server.Client().Get(s.server.URL + "/items")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := bufio.NewReader(response.Body)
	if line, err := body.ReadString('\n'); line != "one\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	close(arrived)
	if rest, _ := io.ReadAll(body); string(rest) != "two\n" || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%q, %v", rest, response.Header)
	}
}

// Half an answer must not look whole, to anybody.
func TestTornAnswersAreNotKept(t *testing.T) {
	s := newRig(t, "")
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
	}
	for range 2 {
		if a, err := s.try(t, "GET", "/items"); err == nil {
			t.Errorf("%d, %q, and no error", a.StatusCode, a.body)
		}
	}
	s.asked(t, 2)
}
