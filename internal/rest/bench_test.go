package rest_test

import (
	"net/http"
	"testing"
)

// discard is the cheapest http.ResponseWriter, so that a benchmark measures the handler.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

const pointReadSchema = `create table item (id int primary key, name text not null, price numeric);
	insert into item select n, 'item ' || n, n * 1.5 from generate_series(1, 1000) n;`

// pointRead is a request as a browser's client library sends it.
func pointRead(t testing.TB, a *api) *http.Request {
	return a.request(t, "GET", "/item?id=eq.42&select=id,name,price", "Accept: application/json", "Accept-Encoding: gzip",
		"User-Agent: benchmark/1.0", "Origin: https://shop.example", "X-Request-Id: 4f2a")
}

func BenchmarkPointRead(b *testing.B) {
	a := newAPI(b, pointReadSchema)
	r := pointRead(b, a)
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		a.ServeHTTP(w, r)
	}
}

// What a point read may allocate, from the URL to the last byte, in PostgreSQL's driver too.
func TestPointReadAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const budget = 14
	a := newAPI(t, pointReadSchema)
	r := pointRead(t, a)
	w := discard{http.Header{}}
	got := testing.AllocsPerRun(500, func() {
		clear(w.header)
		a.ServeHTTP(w, r)
	})
	if got > budget {
		t.Errorf("%v allocations, the budget is %d", got, budget)
	}
}
