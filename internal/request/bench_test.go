package request_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/slipstream-go/slipstream/internal/request"
)

var settings = request.Settings{Schemas: []string{"api"}}

// requests are what a client of the data API typically sends.
var requests = []struct {
	name   string
	url    string
	header http.Header
	// allocations is the most that parsing may allocate.
	allocations int
}{
	{"point", "/items?select=id,name&id=eq.1", nil, 5},
	{"page", "/items?select=id,name,price&order=id.asc&limit=25&category=eq.7", http.Header{"Accept": {"application/json"}}, 8},
	{"embed", "/orders?select=id,total,customer:customers(name),items(quantity,product:products(name,price))&id=in.(1,2,3)", nil, 12},
	{"logic", "/items?or=(id.eq.1,and(price.gt.10,price.lt.20))&name=like.*a*", nil, 16},
	{"escaped", "/items?select=id%2Cname&name=eq.a%20b", http.Header{"Prefer": {"count=exact"}, "Range": {"0-24"}}, 8},
	{"call", "/rpc/search?query=lamp&price=lt.10&limit=5", nil, 8},
}

func parseURL(tb testing.TB, raw string) *url.URL {
	tb.Helper()
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func TestParseStaysWithinItsAllocations(t *testing.T) {
	for _, r := range requests {
		u := parseURL(t, r.url)
		got := testing.AllocsPerRun(100, func() {
			if _, err := request.Parse("GET", u, r.header, settings); err != nil {
				t.Fatal(err)
			}
		})
		if int(got) > r.allocations {
			t.Errorf("%s: %v allocations, at most %d allowed", r.name, got, r.allocations)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, r := range requests {
		b.Run(r.name, func(b *testing.B) {
			u := parseURL(b, r.url)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := request.Parse("GET", u, r.header, settings); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendShape(b *testing.B) {
	r, err := request.Parse("GET", parseURL(b, requests[2].url), nil, settings)
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = r.Query.AppendShape(dst[:0])
	}
}

// A malformed query costs more than a good one, as the grammar's rules are run
// for it; the cost must stay proportional to its length.
func BenchmarkParseError(b *testing.B) {
	long := "/items?select="
	for range 1000 {
		long += "abcdef,"
	}
	u := parseURL(b, long+"!")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := request.Parse("GET", u, nil, settings); err == nil {
			b.Fatal("no error")
		}
	}
}
