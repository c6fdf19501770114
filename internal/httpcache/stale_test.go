package httpcache_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/httpcache"
)

const renewed = "Cache-Status: Slipstream; fwd=stale; stored"

// late is a rig with a cache that is not open and answers that count, of which /limited is stored. What is to be done in
// the background is put into work.
type lateRig struct {
	*rig
	work []func(context.Context)
	busy bool // no more work is taken
	fail string
}

func newLateRig(t *testing.T, revalidate, ifError time.Duration) *lateRig {
	t.Helper()
	s := &lateRig{}
	s.rig = newRig(t, "", func(o *httpcache.Options) {
		o.Limited = true
		o.Background = func(f func(context.Context)) bool {
			if !s.busy {
				s.work = append(s.work, f)
			}
			return !s.busy
		}
	})
	s.cache.Reset("nothing is followed")
	s.revalidate, s.ifError = revalidate, ifError
	s.answer = func(w http.ResponseWriter, r *http.Request, call int64) {
		if s.fail != "" {
			apierr.New(s.fail, "it fails").Write(w, r.Method == http.MethodHead, apierr.Verbose)
			return
		}
		_, _ = io.WriteString(w, strconv.FormatInt(call, 10))
	}
	s.get(t, "/limited").check(t, 200, "1", stored)
	return s
}

func (s *lateRig) advance(d time.Duration) { s.now.Add(int64(d)) }

// renew does what waits in the background.
func (s *lateRig) renew() {
	work := s.work
	s.work = nil
	for _, f := range work {
		f(context.Background())
	}
}

func fresh(ttl int) string { return hit + "; ttl=" + strconv.Itoa(ttl) }

func TestLimitedAnswers(t *testing.T) {
	s := newLateRig(t, 0, 0)
	s.get(t, "/limited").check(t, 200, "1", fresh(60), "Age: 0")
	s.advance(20*time.Second + 1)
	s.get(t, "/limited").check(t, 200, "1", fresh(39), "Age: 20", "Cache-Control: no-cache")
	s.send(t, "HEAD", "/limited").check(t, 200, "", fresh(39), "Content-Length: 1")
	s.get(t, "/items").check(t, 200, "2", "Cache-Status:", "Etag:") // nothing is followed
	s.advance(40 * time.Second)
	s.get(t, "/limited").check(t, 200, "3", renewed, "Age:")
	s.get(t, "/limited").check(t, 200, "3", fresh(60))
	s.cache.Wrote(items)
	s.get(t, "/limited").check(t, 200, "4", stored)
	if len(s.work) != 0 {
		t.Error("something is fetched in the background")
	}
}

func TestStaleWhileRevalidate(t *testing.T) {
	s := newLateRig(t, 10*time.Second, 0)
	s.advance(65 * time.Second)
	for range 5 {
		s.get(t, "/limited", "Authorization: ").check(t, 200, "1", fresh(-5), "Age: 65")
	}
	s.asked(t, 1)
	if len(s.work) != 1 {
		t.Fatalf("%d are fetched in the background", len(s.work))
	}
	s.renew()
	s.asked(t, 2)
	s.get(t, "/limited").check(t, 200, "2", fresh(60), "Age: 0")

	s.advance(75 * time.Second)
	s.get(t, "/limited").check(t, 200, "3", renewed) // the window is over
	s.advance(65 * time.Second)
	s.busy = true // all the same, nobody waits
	s.get(t, "/limited").check(t, 200, "3", fresh(-5))
	s.busy = false
	s.cache.Wrote(items)
	s.get(t, "/limited").check(t, 200, "4", stored) // what was dropped is gone
}

// What is fetched in the background is asked for as by the one who made the request, and ends with a context of its own.
func TestRenewalIsTheCallers(t *testing.T) {
	s := newLateRig(t, time.Hour, 0)
	s.get(t, "/limited?x", "Authorization: ann", "Accept: text/csv")
	s.advance(2 * time.Minute)
	s.send(t, "HEAD", "/limited?x", "Authorization: ann", "Accept: text/csv", "If-None-Match: *").check(t, 304, "")
	type key struct{}
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int64) {
		caller := auth.CallerFrom(r.Context())
		if caller == nil || caller.Subject != "ann" || r.Method != "GET" || r.URL.RequestURI() != "/limited?x" || r.Header.Get("Accept") != "text/csv" {
			t.Errorf("%+v asks %s %s", caller, r.Method, r.URL)
		}
		if _, limited := r.Context().Deadline(); !limited || r.Context().Err() != nil || r.Context().Value(key{}) != true {
			t.Errorf("in the context %v", r.Context())
		}
	}
	for _, f := range s.work {
		f(context.WithValue(context.Background(), key{}, true))
	}
	s.asked(t, 3)
}

// A renewal that fails leaves the old answer; one that is refused does not.
func TestRenewalsThatFail(t *testing.T) {
	for code, want := range map[string]string{"PGRST001": "1", "SLIP500": "1", "42501": "*"} {
		s := newLateRig(t, time.Hour, 0)
		s.advance(2 * time.Minute)
		s.get(t, "/limited").check(t, 200, "1", fresh(-60))
		s.fail = code
		s.renew()
		a := s.get(t, "/limited")
		if want == "1" {
			a.check(t, 200, want, fresh(-60))
		} else {
			a.check(t, 401, "*", missed)
		}
	}
}

func TestStaleIfError(t *testing.T) {
	s := newLateRig(t, 0, time.Hour)
	const failed = `Cache-Status: Slipstream; fwd=stale; fwd-status=503; ttl=-5; detail="stale-if-error"`
	s.advance(65 * time.Second)
	s.fail = "PGRST001"
	s.get(t, "/limited").check(t, 200, "1", failed, "Age: 65", "Proxy-Status:", "Vary: Accept-Encoding", "Cache-Control: no-cache")
	s.asked(t, 2)
	s.get(t, "/limited").check(t, 200, "1", fresh(-5)) // a database that has failed is left alone for a second
	s.asked(t, 2)
	s.advance(time.Second)
	s.send(t, "HEAD", "/limited").check(t, 200, "", strings.Replace(failed, "-5", "-6", 1), "Content-Length: 1")
	s.asked(t, 3)
	s.get(t, "/limited", "Cache-Control: no-cache").check(t, 503, "*", `Cache-Status: Slipstream; fwd=request; detail="the request says no-cache"`)
	s.advance(time.Second)
	s.get(t, "/limited", "Cache-Control: max-age=30").check(t, 503, "*", "Cache-Status: Slipstream; fwd=stale", "Age:")

	s.fail = ""
	s.get(t, "/limited").check(t, 200, "*", renewed, "Age:")
	s.fail = "53300"
	s.advance(time.Minute + time.Hour)
	s.get(t, "/limited").check(t, 200, "*", strings.Replace(failed, "-5", "-3600", 1))
	s.advance(time.Minute)
	s.get(t, "/limited").check(t, 503, "*", "Age:") // the window is over
}

func TestWhatIsNoFailureOfTheDatabase(t *testing.T) {
	for code, status := range map[string]int{"SLIP500": 500, "57014": 500, "42501": 401, "PGRST103": 416, "P0001": 400} {
		s := newLateRig(t, 0, time.Hour)
		s.advance(2 * time.Minute)
		s.fail = code
		s.get(t, "/limited").check(t, status, "*", "Age:")
		s.advance(2 * time.Second)
		s.fail = "PGRST001"
		want := 200
		if status < 500 && code != "PGRST103" { // the database has said that the old answer is wrong
			want = 503
		}
		if code == "PGRST103" {
			want = 416 // which is kept itself
		}
		s.get(t, "/limited").check(t, want, "*")
	}
}

// What was dropped is gone, whatever the database does.
func TestNothingDroppedIsStale(t *testing.T) {
	s := newLateRig(t, time.Hour, time.Hour)
	s.advance(2 * time.Minute)
	s.fail = "PGRST001"
	s.cache.PurgeTable(items)
	s.get(t, "/limited").check(t, 503, "*", missed)
}

// That holds for what is dropped while the database fails, too.
func TestNothingDroppedMeanwhileIsStale(t *testing.T) {
	s := newLateRig(t, 0, time.Hour)
	s.advance(2 * time.Minute)
	fails := s.answer
	s.answer = func(w http.ResponseWriter, r *http.Request, call int64) {
		s.cache.Wrote(items)
		fails(w, r, call)
	}
	s.fail = "PGRST001"
	s.get(t, "/limited").check(t, 503, "*", "Cache-Status: Slipstream; fwd=stale", "Age:")
}

func TestRequestDirectivesOfLimitedAnswers(t *testing.T) {
	for _, tc := range []struct {
		directive           string
		revalidate, ifError time.Duration
		age                 time.Duration
		want                string
	}{
		{"min-fresh=10", 0, 0, 50 * time.Second, fresh(10)},
		{"min-fresh=11", 0, 0, 50 * time.Second, `Cache-Status: Slipstream; fwd=request; detail="is not fresh for as long as the request's min-fresh"`},
		{"max-age=49", 0, 0, 50 * time.Second, `Cache-Status: Slipstream; fwd=request; detail="is older than the request's max-age"`},
		{"max-age=69", time.Hour, 0, 70 * time.Second, renewed},
		{"max-age=70", time.Hour, 0, 70 * time.Second, fresh(-10)},
		{"min-fresh=1", time.Hour, 0, 70 * time.Second, renewed},
		{"max-stale", 0, 0, 70 * time.Second, renewed}, // it is the configuration that allows it
		{"max-stale", 0, time.Hour, 70 * time.Second, fresh(-10)},
		{"max-stale", 0, time.Second, 70 * time.Second, renewed},
		{"max-stale=10", 0, time.Hour, 70 * time.Second, fresh(-10)},
		{"max-stale=9", 0, time.Hour, 70 * time.Second, renewed},
		{"max-stale=soon", 0, time.Hour, 70 * time.Second, renewed},
		{"only-if-cached", time.Hour, 0, 70 * time.Second, fresh(-10)},
		{"only-if-cached", 0, time.Hour, 70 * time.Second, `Cache-Status: Slipstream; detail="only-if-cached"`},
	} {
		s := newLateRig(t, tc.revalidate, tc.ifError)
		s.advance(tc.age)
		a := s.get(t, "/limited", "Cache-Control: "+tc.directive)
		a.check(t, a.StatusCode, "*", tc.want)
	}
}

// A client may ask for less than the configuration allows, and for no more.
func TestStaleIfErrorOfARequest(t *testing.T) {
	for revalidate, want := range map[time.Duration]int{0: 504, 30 * time.Second: 504, time.Minute: 200} {
		s := newLateRig(t, revalidate, 0)
		s.advance(110 * time.Second)
		s.fail = "PGRST003"
		// It is to be fresh, and rather stale than nothing.
		s.get(t, "/limited", "Cache-Control: min-fresh=1, stale-if-error=3600").check(t, want, "*")
		s.advance(2 * time.Second)
		s.get(t, "/limited", "Cache-Control: min-fresh=1, stale-if-error=10").check(t, 504, "*")
	}
}

func TestPublicGrace(t *testing.T) {
	for want, grace := range map[string][2]time.Duration{
		"public, no-cache": {},
		"public, max-age=0, stale-while-revalidate=5":                       {5 * time.Second, 0},
		"public, max-age=0, stale-if-error=60":                              {0, time.Minute},
		"public, max-age=0, stale-while-revalidate=5, stale-if-error=86400": {5 * time.Second, 24 * time.Hour},
	} {
		s := newLateRig(t, grace[0], grace[1])
		s.public = true
		s.get(t, "/limited?public").check(t, 200, "*", stored, "Cache-Control: "+want)
		s.get(t, "/limited?public").check(t, 200, "*", fresh(60), "Cache-Control: "+want)
		s.get(t, "/limited?public", "Authorization: ann").check(t, 200, "*", "Cache-Control: private, no-cache")
	}
}
