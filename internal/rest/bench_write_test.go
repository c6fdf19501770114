package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/rest"
)

const insertSchema = `create table item (id int generated always as identity primary key, name text not null, price numeric);
	grant insert on item to public;`

// rolledBack keeps the table of a benchmark small.
func rolledBack(o *rest.Options) { o.TxRollback = true }

// insertion is a write as a browser's client library sends it. again makes it ready to be sent once more.
func insertion(t testing.TB, a *api, body string) (r *http.Request, again func()) {
	r = a.request(t, "POST", "/item", "Accept: application/json", "Accept-Encoding: gzip", "Content-Type: application/json",
		"User-Agent: benchmark/1.0", "Origin: https://shop.example", "Prefer: return=minimal", "X-Request-Id: 4f2a")
	r.ContentLength = int64(len(body))
	text := strings.NewReader(body)
	r.Body = io.NopCloser(text)
	return r, func() { text.Reset(body) }
}

const soldRow = `{"name":"a thing to sell","price":12.5}`

func BenchmarkInsert(b *testing.B) {
	for _, rows := range []int{1, 10, 1000} {
		body := soldRow
		if rows > 1 {
			body = "[" + strings.Repeat(soldRow+",", rows-1) + soldRow + "]"
		}
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			a := newAPI(b, insertSchema, rolledBack)
			r, again := insertion(b, a, body)
			w := recorder{discard: discard{http.Header{}}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				again()
				a.ServeHTTP(&w, r)
			}
			if w.status != http.StatusCreated {
				b.Fatal(w.status)
			}
		})
	}
}

// What the write of one row may allocate, from the URL to the last byte, in PostgreSQL's driver too.
func TestInsertAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const budget = 24
	a := newAPI(t, insertSchema, rolledBack)
	r, again := insertion(t, a, soldRow)
	w := recorder{discard: discard{http.Header{}}}
	got := testing.AllocsPerRun(200, func() {
		clear(w.header)
		again()
		a.ServeHTTP(&w, r)
	})
	if got > budget || w.status != http.StatusCreated {
		t.Errorf("%v allocations, the budget is %d; status %d", got, budget, w.status)
	}
}

type recorder struct {
	discard
	status int
}

func (r *recorder) WriteHeader(status int) { r.status = status }
