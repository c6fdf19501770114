package loadtest_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Who asks for each outcome gets as many as are counted, each with its own times.
func TestEachOutcome(t *testing.T) {
	var mu sync.Mutex
	var got []loadtest.Outcome
	l := loadtest.Load{
		Phases: []loadtest.Phase{{Duration: time.Second, From: 10, To: 10}}, Arrivals: loadtest.Even, MaxConnections: 1,
		Source: &source{shapes: []loadtest.Shape{{Name: "right"}, {Name: "wrong"}}, method: http.MethodGet},
		Each: func(o loadtest.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, o)
		},
	}
	virtual(t, l, func(w http.ResponseWriter, r *http.Request, at time.Duration) {
		time.Sleep(ms(150)) // longer than there is until the next request
		if r.URL.Path[1]%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, func(res *loadtest.Result) {
		if n := uint64(len(got)); n != res.Total.Good+res.Total.Errors["status 503"] || n == 0 {
			t.Errorf("%d outcomes, and %+v were counted", n, res.Total)
		}
	})
	due := loadtest.Times(l.Phases[0], loadtest.Even, 0)
	slices.SortFunc(got, func(a, b loadtest.Outcome) int { return int(a.Due - b.Due) })
	for i, o := range got {
		want := loadtest.Outcome{Shape: i % 2, Due: due[i], Sent: due[0] + time.Duration(i)*ms(150)}
		want.Done = want.Sent + ms(150)
		if i%2 == 1 {
			want.Problem = "status 503"
		}
		if o != want {
			t.Errorf("outcome %d: %+v, want %+v", i, o, want)
		}
	}
}
