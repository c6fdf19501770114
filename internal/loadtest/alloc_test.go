//go:build !race

package loadtest_test

import (
	"testing"

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
