package auth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
)

// issuer serves a JWK set over TLS on a loopback port.
type issuer struct {
	*httptest.Server
	fetches atomic.Int64
	mu      sync.Mutex
	answer  http.HandlerFunc
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		i.mu.Lock()
		answer := i.answer
		i.mu.Unlock()
		answer(w, r)
	}))
	i.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	i.StartTLS()
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *issuer) publish(jwks ...string) {
	i.set(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[` + strings.Join(jwks, ",") + `]}`))
	})
}

func (i *issuer) fail(status int) {
	i.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// clock is moved by the test alone.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return noon.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// start runs the verifier until the test ends or stop is called.
func start(t *testing.T, v *auth.Verifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// journal is a log in which a test can wait for an event.
type journal struct {
	events chan string
	mu     sync.Mutex
	all    bytes.Buffer
}

func newJournal() *journal { return &journal{events: make(chan string, 10_000)} }

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// Write gets one event per call, as slog promises.
func (j *journal) Write(event []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events <- string(event)
	return j.all.Write(event)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// wait returns after the next event that contains the text.
func (j *journal) wait(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case event := <-j.events:
			if strings.Contains(event, text) {
				return
			}
		case <-timeout:
			t.Fatalf("the log does not say %q: %s", text, j)
		}
	}
}

const (
	newKeys   = "new keys"
	noSuccess = "could not be fetched"
)

func keyA(t *testing.T) string { return publicJWK(t, keys().rsa, map[string]any{"kid": "a"}) }
func keyB(t *testing.T) string { return publicJWK(t, keys().p256, map[string]any{"kid": "b"}) }

func tokenA(t *testing.T) string { return signKid(t, "RS256", "a", keys().rsa, `{"role":"r"}`) }
func tokenB(t *testing.T) string { return signKid(t, "ES256", "b", keys().p256, `{"role":"r"}`) }

func TestRotation(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	var c clock
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), Now: c.now, CacheMaxEntries: 10, Logger: log.logger()})
	start(t, v)
	log.wait(t, newKeys)
	mustCall(t, v, tokenA(t))

	i.publish(keyB(t))
	c.advance(10 * time.Second)
	mustCall(t, v, tokenB(t)) // the unknown kid brings the new keys
	if e := refused(t, v, tokenA(t)); e.Details != noSuitable {
		t.Errorf("a token of a removed key, though it was remembered: %v", e.Details)
	}
	if s := v.KeyStatus(); s.Source != auth.RemoteKeys || s.Keys != 1 || s.Err != nil || !s.Fetched.Equal(c.now()) {
		t.Errorf("%+v", s)
	}
}

func TestUnchangedKeysKeepTheCache(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	var c clock
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), Now: c.now, CacheMaxEntries: 10, Logger: log.logger()})
	start(t, v)
	log.wait(t, newKeys)
	token := tokenA(t)
	before := mustCall(t, v, token)
	c.advance(time.Minute)
	refused(t, v, tokenB(t))
	if i.fetches.Load() != 2 || mustCall(t, v, token) != before {
		t.Errorf("%d fetches", i.fetches.Load())
	}
}

// Kids are cheap to invent: they must not become requests to the issuer.
func TestUnknownKidsAreLimited(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	var c clock
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), Now: c.now, Logger: log.logger()})
	start(t, v)
	log.wait(t, newKeys)
	for _, advance := range []time.Duration{0, 9 * time.Second, time.Second, 0, 9 * time.Second} {
		c.advance(advance)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := v.Caller(t.Context(), "Bearer "+tokenB(t)); err == nil {
					t.Error("accepted")
				}
			})
		}
		wg.Wait()
	}
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestRefresh(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), JWKSRefresh: 5 * time.Millisecond, Logger: log.logger()})
	stop := start(t, v)
	log.wait(t, newKeys)
	i.publish(keyA(t), keyB(t))
	log.wait(t, "keys=2")
	stop()
	mustCall(t, v, tokenB(t))
}

func TestOldKeysStayWhenFetchesFail(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	log := newJournal()
	v := newVerifier(t, auth.Config{
		Secret: i.URL + "/jwks?apikey=CANARY", Client: i.Client(), JWKSRefresh: 5 * time.Millisecond,
		Logger: log.logger(),
	})
	start(t, v)
	log.wait(t, newKeys)
	for name, answer := range map[string]http.HandlerFunc{
		"status 500":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"not a JWK set": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no usable key": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"larger than":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
		"must be https": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://198.51.100.1/", http.StatusFound)
		},
		"too many redirects": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) },
		"EOF":                func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		i.set(answer)
		log.wait(t, name)
		if v.KeyStatus().Err == nil {
			t.Errorf("%s: no error in the status", name)
		}
		mustCall(t, v, tokenA(t))
	}
	i.publish(keyB(t))
	log.wait(t, newKeys)
	mustCall(t, v, tokenB(t))
	if err := v.KeyStatus().Err; err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "CANARY") {
		t.Errorf("the log shows the address's query: %s", log)
	}
}

func TestPublishedSymmetricKeysAreLeftOut(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t), jwkOf(t, []byte(secret), nil))
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), Logger: log.logger()})
	start(t, v)
	log.wait(t, newKeys)
	if e := refused(t, v, hs256(t, `{"role":"r"}`)); e.Details != noSuitable {
		t.Errorf("details %v", e.Details)
	}
}

func TestNoKeysYet(t *testing.T) {
	i := newIssuer(t)
	i.fail(http.StatusServiceUnavailable)
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), AnonRole: "anon", Logger: log.logger()})
	unavailable := func() *apierr.Error {
		t.Helper()
		e := refused(t, v, tokenA(t))
		if e.Code != "SLIP300" || e.HTTPStatus() != 503 || e.Header.Get("Retry-After") < "1" ||
			strings.Contains(string(e.JSON(apierr.Verbose)), "127.0.0.1") {
			t.Errorf("%s %v", e.JSON(apierr.Verbose), e.Header)
		}
		return e
	}
	unavailable() // before Run
	start(t, v)
	log.wait(t, noSuccess)
	if e := unavailable(); e.Cause == nil || !strings.Contains(e.Cause.Error(), "503") {
		t.Errorf("cause %v", e.Cause)
	}
	if s := v.KeyStatus(); s.Ready || s.Source != auth.RemoteKeys {
		t.Errorf("%+v", s)
	}
	if c, err := v.Caller(t.Context(), ""); err != nil || c.Role != "anon" {
		t.Errorf("anonymous: %v %v", c, err)
	}
	i.publish(keyA(t))
	log.wait(t, newKeys)
	mustCall(t, v, tokenA(t))
}

// A request that comes while the first fetch is under way waits for it, but not
// longer than its client does.
func TestRequestsWaitForTheFetch(t *testing.T) {
	i := newIssuer(t)
	asked, release := make(chan struct{}), make(chan struct{})
	set := `{"keys":[` + keyA(t) + `]}`
	i.set(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		_, _ = w.Write([]byte(set))
	})
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), Logger: log.logger()})
	start(t, v)
	<-asked
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Caller(gone, "Bearer "+tokenA(t)); apierr.From(err) == nil || apierr.From(err).Code != "SLIP300" {
		t.Errorf("client went away: %v", err)
	}
	answers := make(chan error, 3)
	for range cap(answers) {
		go func() {
			_, err := v.Caller(context.Background(), "Bearer "+tokenA(t))
			answers <- err
		}()
	}
	close(release)
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

func TestTakeKeys(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	log := newJournal()
	old := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), CacheMaxEntries: 10, Logger: log.logger()})
	start(t, old)
	log.wait(t, newKeys)
	before := mustCall(t, old, tokenA(t))

	i.fail(http.StatusInternalServerError)
	next := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), CacheMaxEntries: 10, RoleClaimKey: "$.nobody", AnonRole: "anon"})
	next.TakeKeys(old)
	if c := mustCall(t, next, tokenA(t)); c == before || c.Role != "anon" {
		t.Errorf("%+v", c)
	}
	if s := next.KeyStatus(); !s.Ready || s.Keys != 1 || !s.Fetched.Equal(noon) {
		t.Errorf("%+v", s)
	}
	for _, other := range []auth.Config{{Secret: i.URL + "/other"}, {Secret: secret}, {}} {
		v := newVerifier(t, other)
		v.TakeKeys(old)
		refused(t, v, tokenA(t))
	}
}

func TestRunTwice(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Client: i.Client(), Logger: log.logger()})
	stop := start(t, v)
	log.wait(t, newKeys)
	if err := v.Run(t.Context()); err == nil {
		t.Error("the second Run returned no error")
	}
	stop()
	start(t, v)
}

// The client of our own trusts the system's certificates, not the issuer's.
func TestCertificatesAreChecked(t *testing.T) {
	i := newIssuer(t)
	i.publish(keyA(t))
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: i.URL, Logger: log.logger()})
	start(t, v)
	log.wait(t, noSuccess)
	if err := v.KeyStatus().Err; !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

func TestPlainHTTPOnLoopback(t *testing.T) {
	set := `{"keys":[` + keyA(t) + `]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(set))
	}))
	defer server.Close()
	log := newJournal()
	v := newVerifier(t, auth.Config{Secret: server.URL, Logger: log.logger()})
	start(t, v)
	log.wait(t, newKeys)
	mustCall(t, v, tokenA(t))
}

func TestNextFetch(t *testing.T) {
	for _, test := range []struct{ maxAge, refresh, want time.Duration }{
		{0, 10 * time.Minute, 10 * time.Minute},
		{time.Hour, 10 * time.Minute, 10 * time.Minute},
		{time.Minute, 10 * time.Minute, time.Minute},
		{time.Second, 10 * time.Minute, 10 * time.Second},
		{time.Second, time.Millisecond, time.Millisecond},
	} {
		if got := auth.NextFetch(test.maxAge, test.refresh); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestMaxAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "no-store": 0, "max-age=60": time.Minute, `public, Max-Age="60", x`: time.Minute,
		"max-age=x": 0, "max-age=-1": 0, "max-age=99999999999999999999": 0, "s-maxage=60": 0,
	} {
		if got := auth.MaxAgeOf(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
