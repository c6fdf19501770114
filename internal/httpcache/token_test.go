package httpcache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/httpcache"
)

// withToken has requests ask for the state after a transaction, which the rig's changes are counted by.
func withToken(s **rig) func(*httpcache.Options) {
	return func(o *httpcache.Options) {
		o.Token = httpcache.Token{Field: "After", Behind: func(_ context.Context, values []string) string {
			if n, err := strconv.Atoi(values[0]); err != nil || uint32(n) > (*s).xid.Load() {
				return "is ahead"
			}
			return ""
		}}
	}
}

const ahead = `Cache-Status: Slipstream; fwd=request; detail="is ahead"`

func TestToken(t *testing.T) {
	var s *rig
	s = newRig(t, "[1]", withToken(&s))
	s.get(t, "/items", "After: 1").check(t, 200, "[1]", ahead)
	s.get(t, "/items", "After: 0").check(t, 200, "[1]", stored)
	s.get(t, "/items", "After: 0").check(t, 200, "[1]", hit)
	s.send(t, "HEAD", "/items", "After: 0").check(t, 200, "", hit)
	s.send(t, "HEAD", "/items", "After: 1").check(t, 200, "", ahead)
	s.insert()
	s.get(t, "/items", "After: 1").check(t, 200, "[1]", stored)
	s.get(t, "/items", "After: 2").check(t, 200, "[1]", ahead)
	s.get(t, "/items", "After: 2", "Cache-Control: only-if-cached").check(t, 504, "")
	s.get(t, "/items").check(t, 200, "[1]", hit)
	s.asked(t, 5)
}

// What changes do not end may be older than any token, whoever has fetched it.
func TestTokenAndLimits(t *testing.T) {
	const unfollowed = `Cache-Status: Slipstream; fwd=request; detail="brings a token, and the answer is kept for a time whatever changes"`
	var s *rig
	s = newRig(t, "[1]", withToken(&s))
	s.get(t, "/limited", "After: 0").check(t, 200, "[1]", stored)
	s.get(t, "/limited", "After: 0").check(t, 200, "[1]", unfollowed)
	s.get(t, "/limited").check(t, 200, "[1]", fresh(60))
}

// Whoever has joined its fetch goes by itself, too.
func TestTokenJoinsALimitedFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(func(w http.ResponseWriter, _ *http.Request, call int64) {
			if call == 1 {
				time.Sleep(time.Second)
			}
			_, _ = io.WriteString(w, strconv.FormatInt(call, 10))
		})
		b.Handler = httpcache.New(httpcache.Options{Cache: b.cache, Source: b.source, Token: httpcache.Token{
			Field: "After", Behind: func(context.Context, []string) string { return "" },
		}})
		get := func(path string, header http.Header) string {
			w, r := httptest.NewRecorder(), asAnon(path)
			r.Header = header
			b.ServeHTTP(w, r)
			return w.Body.String()
		}
		for path, want := range map[string]string{"/limited": "2", "/items": "1"} {
			b.calls.Store(0)
			go get(path, http.Header{})
			synctest.Wait()
			if got := get(path, http.Header{"After": {"0"}}); got != want {
				t.Errorf("%s: it is given the answer to call %s, want %s", path, got, want)
			}
		}
	})
}
