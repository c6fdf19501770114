package cdn_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/cdn"
)

// service is a cache on the way that notes its calls, and fails as often as it is told.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	fails int
	calls []string
	held  chan struct{} // calls wait for it, if it is not nil
}

func serve(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		held := s.held
		s.mu.Unlock()
		if held != nil {
			<-held
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fails > 0 {
			s.fails--
			http.Redirect(w, r, "/elsewhere?hush", http.StatusFound)
			return
		}
		s.calls = append(s.calls, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s%s", r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Fastly-Key"),
			r.Header.Get("Surrogate-Key"), body)))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// run gives a purger that runs until the test ends, and its log.
func (s *service) run(t *testing.T, change func(*cdn.Options)) (*cdn.Purger, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o := cdn.Options{URL: s.URL + "/purge", Secret: "hush", Pause: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	change(&o)
	p := cdn.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if strings.Contains(log.String(), "hush") {
			t.Errorf("the log tells the secret: %s", log.String())
		}
	})
	return p, &log
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestForms(t *testing.T) {
	for _, tc := range []struct {
		change func(*cdn.Options)
		want   string
	}{
		{func(*cdn.Options) {}, `POST /purge Bearer hush  {"tags":["api.a","api.b"]}`},
		{func(o *cdn.Options) { o.SurrogateKey, o.TokenHeader = true, "Fastly-Key" }, `POST /purge  hush api.a api.b`},
		{func(o *cdn.Options) { o.Secret = "" }, `POST /purge   {"tags":["api.a","api.b"]}`},
	} {
		s := serve(t)
		p, _ := s.run(t, tc.change)
		p.Purge("api.b", "api.a", "api.b")
		eventually(t, "the call", func() bool { return len(s.seen()) > 0 })
		if got := s.seen()[0]; got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

// What comes while a call is under way, goes together in the next; more than a call can have, in several.
func TestTagsGoTogether(t *testing.T) {
	s := serve(t)
	s.held = make(chan struct{})
	p, _ := s.run(t, func(o *cdn.Options) { o.SurrogateKey, o.Secret = true, "" })
	p.Purge("first")
	for i := range 1000 {
		p.Purge(fmt.Sprintf("t%02d", i%70))
	}
	close(s.held)
	eventually(t, "all tags", func() bool {
		all := strings.Join(s.seen(), " ")
		return strings.Contains(all, "first") && strings.Contains(all, "t00") && strings.Contains(all, "t69")
	})
	if n := len(s.seen()); n > 4 {
		t.Errorf("%d calls: %q", n, s.seen())
	}
	if sent, failed := p.Calls(); sent != uint64(len(s.seen())) || failed != 0 {
		t.Errorf("%d sent, %d failed", sent, failed)
	}
}

// What could not be sent is sent again, with what has come since. Nobody else gets the secret.
func TestFailuresAreTriedAgain(t *testing.T) {
	s := serve(t)
	s.fails = 3
	p, log := s.run(t, func(o *cdn.Options) { o.LongestPause = 4 * time.Millisecond })
	p.Purge("api.a")
	eventually(t, "a failure", func() bool { _, failed := p.Calls(); return failed > 0 })
	p.Purge("api.b")
	eventually(t, "both tags", func() bool {
		all := strings.Join(s.seen(), " ")
		return strings.Contains(all, "api.a") && strings.Contains(all, "api.b")
	})
	if _, failed := p.Calls(); failed != 3 {
		t.Errorf("%d failed", failed)
	}
	for _, call := range s.seen() {
		if !strings.HasPrefix(call, "POST /purge ") {
			t.Errorf("the redirection was followed: %s", call)
		}
	}
	if n := strings.Count(log.String(), "it answers 302 Found"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

func TestUnreachable(t *testing.T) {
	s := serve(t)
	s.Close()
	p, _ := s.run(t, func(o *cdn.Options) { o.URL += "?key=hush" })
	p.Purge("api.a")
	eventually(t, "a failure", func() bool { _, failed := p.Calls(); return failed > 1 })
}
