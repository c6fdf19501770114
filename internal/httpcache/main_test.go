package httpcache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/httpcache"
)

// items is the table that all answers of a source depend on.
const items cache.Table = 1

// upTo is a stamp that has seen the transactions up to a number.
type upTo uint32

func (s upTo) Saw(m cache.Mark) bool { return m.Xid <= uint32(s) }

// source answers what the test says, and tells paths apart: those that begin with /own are each caller's own, those
// that begin with /never are not kept, and those that begin with /limited for a minute, whatever changes.
type source struct {
	calls  atomic.Int64
	answer func(w http.ResponseWriter, r *http.Request, call int64)
	xid    atomic.Uint32 // what answers have seen
	stale  atomic.Bool   // shapes have to be made anew
	public bool
	// Of what is limited.
	revalidate, ifError time.Duration

	version [32]byte // of shapes
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := cache.FillFrom(r.Context()); f != nil {
		if strings.HasPrefix(r.URL.Path, "/limited") {
			f.Limit(time.Minute)
			f.Tag(items)
			f.Grace(s.revalidate, s.ifError)
		} else {
			f.Depend(upTo(s.xid.Load()), cache.Watch{Table: items})
		}
	}
	s.answer(w, r, s.calls.Add(1))
}

func (s *source) AppendRequest(dst []byte, r *http.Request) []byte {
	for _, part := range [...]string{r.URL.Path, r.URL.RawQuery, r.Header.Get("Accept")} {
		dst = append(append(dst, part...), 0) // which no URL and no field has
	}
	return dst
}

func (s *source) Shape(r *http.Request) httpcache.Shape { return shape{s, r.URL.Path} }

type shape struct {
	source *source
	path   string
}

func (s shape) Version() [32]byte { return s.source.version }

func (s shape) Valid() bool   { return !s.source.stale.Load() }
func (s shape) Route() string { return "items" }

func (s shape) Bypass() (kind, because string) {
	if strings.HasPrefix(s.path, "/never") {
		return "never", "is \"never\" kept: \\ é"
	}
	return "", ""
}

func (s shape) Unfollowed() (kind, because string) { return "", "" }
func (s shape) Public() (bool, time.Duration)      { return s.source.public, 0 }

func (s shape) Limited() bool { return strings.HasPrefix(s.path, "/limited") }

func (s shape) Grace() (whileRevalidate, ifError time.Duration) {
	return s.source.revalidate, s.source.ifError
}

func (s shape) Tags() []string { return nil }

func (s shape) AppendCaller(dst []byte, r *http.Request) []byte {
	caller := auth.CallerFrom(r.Context())
	dst = append(append(dst, caller.Role...), 0)
	if strings.HasPrefix(s.path, "/own") {
		dst = append(dst, caller.Subject...)
	}
	return dst
}

// rig is a server with a cache whose clock stands still, so that a lease lasts until the test moves it.
type rig struct {
	*source
	cache  *cache.Cache
	now    atomic.Int64
	server *httptest.Server
}

// newRig serves body at every path, unless the test sets another answer.
func newRig(t testing.TB, body string, change ...func(*httpcache.Options)) *rig {
	t.Helper()
	s := &rig{source: &source{answer: func(w http.ResponseWriter, _ *http.Request, _ int64) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}}}
	s.cache = cache.New(cache.Options{Clock: func() time.Duration { return time.Duration(s.now.Load()) }})
	s.cache.Open()
	s.beat()
	o := httpcache.Options{Cache: s.cache, Source: s.source}
	for _, f := range change {
		f(&o)
	}
	h := httpcache.New(o)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		h.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), callerOf(r))))
	}))
	t.Cleanup(s.server.Close)
	return s
}

// callerOf is whom the header Authorization names, without a proof.
func callerOf(r *http.Request) *auth.Caller {
	if name := r.Header.Get("Authorization"); name != "" {
		return &auth.Caller{Role: "member", Subject: name}
	}
	return &auth.Caller{Role: "anon", Anonymous: true}
}

func (s *rig) beat() {
	h := s.cache.Heartbeat()
	h.Visible(upTo(s.xid.Load()))
	h.Returned()
}

// insert is a change of the table.
func (s *rig) insert() {
	xid := s.xid.Add(1)
	s.cache.Apply(cache.Change{
		Mark: cache.Mark{Xid: xid, LSN: uint64(xid)}, Table: items, After: cache.Row{cache.DatumOf("1")},
	})
}

type answer struct {
	*http.Response
	body string
}

// get sends a GET with headers such as "Accept: text/csv".
func (s *rig) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	return s.send(t, http.MethodGet, path, headers...)
}

func (s *rig) send(t testing.TB, method, path string, headers ...string) answer {
	t.Helper()
	a, err := s.try(t, method, path, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try is send where an error may be the answer.
func (s *rig) try(t testing.TB, method, path string, headers ...string) (answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity") // else the client asks for gzip and hides it
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Accept-Encoding" {
			r.Header.Del(name)
		}
		r.Header.Add(name, value)
	}
	response, err := s.server.Client().Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response, string(body)}, err
}

const (
	hit    = "Cache-Status: Slipstream; hit"
	stored = "Cache-Status: Slipstream; fwd=miss; stored"
	missed = "Cache-Status: Slipstream; fwd=miss"
)

// check compares status, body and headers. A header is "Name: value", or "Name:" for one that must be absent. The body "*"
// is any.
func (a answer) check(t testing.TB, status int, body string, headers ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("status %d, want %d", a.StatusCode, status)
	}
	if body != "*" && a.body != body {
		t.Errorf("body %.200q, want %.200q", a.body, body)
	}
	for _, h := range headers {
		name, want, _ := strings.Cut(h, ":")
		if got := strings.Join(a.Header.Values(name), " | "); got != strings.TrimPrefix(want, " ") {
			t.Errorf("%s: %q, want %q", name, got, strings.TrimPrefix(want, " "))
		}
	}
}

func (s *rig) asked(t testing.TB, want int64) {
	t.Helper()
	if got := s.calls.Load(); got != want {
		t.Errorf("the source was asked %d times, want %d", got, want)
	}
}
