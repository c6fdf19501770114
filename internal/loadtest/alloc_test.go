//go:build !race

package loadtest_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// In the steady state a request costs no memory, whatever its answer is like: those who wait for the garbage collector of
// the generator would wait for the server, by its figures.
func TestRequestsDoNotAllocate(t *testing.T) {
	for name, text := range map[string]string{
		"GET":  hello,
		"POST": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"x\"\r\nSet-Cookie: a=b\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		for _, keepBody := range []bool{true, false} {
			l := loadtest.Load{Target: listen(t, answering(text)), Source: &source{
				shapes: []loadtest.Shape{{Name: "get"}}, method: name,
				header: []loadtest.Field{{Name: "Accept", Value: "*/*"}, {Name: "Authorization", Value: "Bearer x"}},
			}}
			send, closes, err := loadtest.Exchange(t.Context(), l, keepBody)
			if err != nil {
				t.Fatal(err)
			}
			var r loadtest.Request
			var n uint64
			got := testing.AllocsPerRun(500, func() {
				l.Source.Request(n, &r)
				n++
				if a := send(&r); a.Status != 200 {
					t.Fatalf("%+v", a)
				}
			})
			closes()
			if got >= 1 {
				t.Errorf("%s, body kept: %v: %v allocations a request", name, keepBody, got)
			}
		}
	}
}

// What is due and cannot be sent takes no memory, however much it is.
func TestBacklogsTakeNoMemory(t *testing.T) {
	allocated := func(rate float64) uint64 {
		l := loadtest.Load{
			Phases: []loadtest.Phase{{Duration: 2 * time.Second, From: rate, To: rate}}, MaxConnections: 1, Arrivals: loadtest.Even,
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		virtual(t, l, func(http.ResponseWriter, *http.Request, time.Duration) { time.Sleep(time.Minute) }, func(res *loadtest.Result) {
			if res.Total.Sent != 1 || res.Total.Due != uint64(2*rate) {
				t.Errorf("%d sent of %d", res.Total.Sent, res.Total.Due)
			}
		})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	allocated(10) // what is made once
	if few, many := allocated(10), allocated(100_000); many > few+1<<20 {
		t.Errorf("a backlog of 200,000 requests takes %d bytes, and one of 20 %d", many, few)
	}
}
