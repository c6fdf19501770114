package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/limit"
)

// A level of overload besides that of the database, such as of memory, refuses what matters less and switches off what rules
// name, and lets both in again.
func TestLevels(t *testing.T) {
	var level atomic.Int64
	a := newAPI(t, "create table one (n int); insert into one values (1);", func(o *rest.Options) {
		o.Level = func() int { return int(level.Load()) }
		o.BatchOperations = 10
		o.Priority = func(r *http.Request, _ *auth.Caller) (limit.Priority, uint64) {
			tier, ok := limit.TierOf(r.Header.Get("Tier"))
			if strings.Contains(r.URL.RawQuery, "n=gt.0") {
				return limit.Priority{Tier: limit.Background}, 0
			}
			if !ok {
				tier = limit.Default
			}
			return limit.Priority{Tier: tier}, 0
		}
		o.Degradation, _ = rest.ParseDegradation(map[string]string{"count-exact": "2"})
	})
	batch := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := a.request(t, "POST", "/", "Content-Type: "+rest.BatchType)
		whole := httptest.NewRequest("POST", "/", strings.NewReader(`{"operations": [{"method": "GET", "path": "`+path+`"}]}`))
		r.Body, r.ContentLength = whole.Body, whole.ContentLength
		a.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		level, served int // tiers
		total         string
	}{{0, 4, "1"}, {1, 3, "1"}, {2, 2, "*"}, {3, 1, "*"}, {0, 4, "1"}} {
		level.Store(int64(c.level))
		for tier := range limit.Background + 1 {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, a.request(t, "GET", "/one", "Tier: "+tier.String(), "Prefer: count=exact"))
			switch {
			case int(tier) < c.served:
				if w.Code != 200 || w.Header().Get("Content-Range") != "0-0/"+c.total {
					t.Errorf("level %d, %v: %d %s %s", c.level, tier, w.Code, w.Header().Get("Content-Range"), w.Body)
				}
			case w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "SLIP234"):
				t.Errorf("level %d, %v: %d %s", c.level, tier, w.Code, w.Body)
			}
		}
		if w := batch("/one"); (w.Code == 200) != (c.served > int(limit.Default)) {
			t.Errorf("level %d, a batch: %d %s", c.level, w.Code, w.Body)
		}
		if w := batch("/one?n=gt.0"); (w.Code == 200) != (c.served > int(limit.Background)) {
			t.Errorf("level %d, a batch of background work: %d %s", c.level, w.Code, w.Body)
		}
	}
}
