package slipstream_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

const (
	acceptNDJSON = "Accept: application/x-ndjson"
	acceptCSV    = "Accept: text/csv"
)

func smallBuffer(c *slipstream.Config) { c.ResponseBuffer = 4 << 10 }

const streamSQL = `
	create view numbers as select n, 'text of row ' || n as t from generate_series(1, 20000) n;
	create table empty (id int, "a ""b"", c" text);
`

func TestSmallStreamsAreExact(t *testing.T) {
	s := serve(t, streamSQL)
	s.exchanges(t, []exchange{
		{"GET /numbers?limit=2", []string{acceptNDJSON}, 200, "{\"n\":1,\"t\":\"text of row 1\"}\n{\"n\":2,\"t\":\"text of row 2\"}\n",
			[]string{"Content-Type: application/x-ndjson", "Content-Length: 56", "Content-Range: 0-1/*", "Content-Location: /numbers?limit=2", "Vary: Accept, Prefer, Range"}},
		{"GET /numbers?limit=2&offset=1", []string{acceptCSV, "Prefer: count=exact"}, 206, "n,t\n2,\"text of row 2\"\n3,\"text of row 3\"",
			[]string{"Content-Length: 39", "Content-Range: 1-2/20000", "Preference-Applied: count=exact"}},
		{"GET /numbers?limit=1", []string{acceptCSV, "Prefer: count=planned"}, 206, "n,t\n1,\"text of row 1\"", []string{"Content-Range: 0-0/20000"}},
		{"GET /numbers?offset=20001", []string{acceptCSV, "Prefer: count=exact"}, 416, "*", []string{"Content-Range: */20000", "Content-Location:"}},
		{"GET /numbers?offset=20000", []string{acceptNDJSON, "Prefer: count=exact"}, 206, "", []string{"Content-Range: */20000", "Content-Length: 0"}},
		{"GET /empty", []string{acceptCSV}, 200, `id,"a ""b"", c"`, []string{"Content-Range: */*"}},
		{"GET /empty", []string{acceptCSV, "Prefer: count=exact"}, 200, `id,"a ""b"", c"`, []string{"Content-Range: */0"}},
		{"GET /empty", []string{acceptNDJSON}, 200, "", []string{"Content-Length: 0"}},
		{"HEAD /numbers?limit=2", []string{acceptCSV}, 200, "", []string{"Content-Type: text/csv; charset=utf-8", "Content-Range: 0-1/*", "Content-Length:"}},
		{"HEAD /numbers", []string{acceptNDJSON, "Prefer: count=exact"}, 200, "", []string{"Content-Range: 0-19999/20000"}},
		{"GET /numbers?nosuch=eq.1", []string{acceptCSV}, 400, "*", []string{"Content-Type: application/json; charset=utf-8"}},
	})
}

func TestLargeStreamsAreChunked(t *testing.T) {
	s := serve(t, streamSQL, smallBuffer)
	for _, c := range []struct {
		name, path   string
		accept, send string
		status       int
		contentRange string
		lines        int
	}{
		{"NDJSON", "/numbers", acceptNDJSON, "Prefer: handling=lenient", 200, "*/*", 20000},
		{"CSV", "/numbers", acceptCSV, "Prefer: handling=lenient", 200, "*/*", 20000}, // and the names, less the last line break
		{"counted", "/numbers", acceptNDJSON, "Prefer: count=exact", 200, "0-19999/20000", 20000},
		{"counted page", "/numbers?offset=10&limit=5000", acceptNDJSON, "Prefer: count=exact", 206, "10-5009/20000", 5000},
		{"counted end", "/numbers?offset=15000&limit=9000", acceptCSV, "Prefer: count=exact", 206, "15000-19999/20000", 5000},
		{"estimated", "/numbers", acceptNDJSON, "Prefer: count=estimated", 200, "*/*", 20000},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.get(c.path, c.accept, c.send)
			a.check(t, c.status, "*", "Content-Range: "+c.contentRange, "Content-Length:")
			if len(a.TransferEncoding) != 1 || a.TransferEncoding[0] != "chunked" {
				t.Errorf("transfer encoding %v", a.TransferEncoding)
			}
			if n := strings.Count(a.body, "\n"); n != c.lines {
				t.Errorf("%d lines, want %d", n, c.lines)
			}
		})
	}
	// The connection is as good as new, and the deadline of its writes is gone.
	s.get("/empty").check(t, 200, "[]")
}

func TestCSVIsReadBack(t *testing.T) {
	values := []string{
		"plain", "a,b", `"`, `""`, `a"b`, "line\nbreak", "cr\rhere", "\n", " lead", "trail ", "tab\t", `back\slash`, `\.`, `\N`, "(paren)", "", "null", "ünï 😀 \u2028", ";", "=1+1", "'",
	}
	var rows strings.Builder
	want := [][]string{{"n", "quote \" comma , name", "j", "arr", "comp", "nothing"}}
	for i, v := range values {
		fmt.Fprintf(&rows, "insert into nasty values (%d, $v$%s$v$, jsonb_build_object('k', $v$%s$v$), array[$v$%s$v$, null], row(1, $v$%s$v$), null);", i, v, v, v, v)
	}
	s := serve(t, `create type pair as (a int, b text);
		create table nasty (n int primary key, "quote "" comma , name" text, j jsonb, arr text[], comp pair, nothing text);`+rows.String())
	for i, v := range values {
		row := fmt.Sprintf("from api.nasty where n = %d", i)
		want = append(want, []string{fmt.Sprint(i), v, s.value("select j " + row), s.value("select arr " + row), s.value("select comp " + row), ""})
	}
	a := s.get("/nasty?order=n", acceptCSV)
	got, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		t.Fatalf("%v in\n%s", err, a.body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// NULL and the empty string differ for readers that look.
	s.get("/nasty?n=eq.15&select=e:%22quote%20%5C%22%20comma%20,%20name%22,nothing", acceptCSV).check(t, 200, "e,nothing\n\"\",")
}

// An answer that has begun cannot turn into an error: it must not end as if it were whole.
func TestBrokenStreams(t *testing.T) {
	s := serve(t, `
		create view divides as select n, 1 / (100000 - n) as q from generate_series(1, 200000) n;
		create view early as select n, 1 / (10 - n) as q from generate_series(1, 200000) n;
		create view sleeps as select n, case when n = 5000 then pg_sleep(600)::text else 'some text' end as t from generate_series(1, 20000) n;
		alter role MEMBER set statement_timeout = '1s';
	`, func(c *slipstream.Config) { c.ResponseBuffer = 8 << 10 })
	const partial = "an answer that was broken off"
	for _, accept := range []string{acceptNDJSON, acceptCSV} {
		if a, err := s.try("GET", "/divides", accept); !errors.Is(err, io.ErrUnexpectedEOF) || a.StatusCode != 200 {
			t.Errorf("%s: division by zero: %v, want %s", accept, err, partial)
		}
		s.get("/early", accept).check(t, 400, `{"code":"22012","details":null,"hint":null,"message":"division by zero"}`)
		if _, err := s.try("GET", "/sleeps", accept, s.bearer()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: statement timeout: %v, want %s", accept, err, partial)
		}
		response := s.open("/sleeps", accept)
		s.value(`select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'LOGIN' and wait_event = 'PgSleep'`)
		eventually(t, "the backend is terminated", func() bool {
			return s.value(`select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'LOGIN' and query like '%sleeps%'`) == "0"
		})
		if _, err := io.Copy(io.Discard, response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: terminated backend: %v, want %s", accept, err, partial)
		}
		response.Body.Close()
	}
	s.get("/divides?limit=1").check(t, 200, "*")
}

// open sends a GET and returns when the answer has begun.
func (s *site) open(path string, headers ...string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.Addr()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return response
}

const busySQL = `select count(*) from pg_stat_activity where usename = 'LOGIN' and state = 'active'`

func TestClientThatStopsReading(t *testing.T) {
	s := serve(t, `create view endless as select n, repeat('x', 1000) as t from (select generate_series(1, 1000000000) as n) rows;`,
		func(c *slipstream.Config) { c.DBPool = 1 })
	conn, err := net.DialTimeout("tcp", s.Addr(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /endless HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	// All buffers between are full now or soon: PostgreSQL waits for us, and we for the client.
	eventually(t, "the statement waits for its reader", func() bool {
		return s.value(`select count(*) from pg_stat_activity where usename = 'LOGIN' and wait_event = 'ClientWrite'`) == "1"
	})
	conn.Close()
	eventually(t, "the statement is cancelled", func() bool { return s.value(busySQL) == "0" })
	s.get("/endless?limit=1&select=n").check(t, 200, `[{"n":1}]`)
}

func TestStreamsTakeBoundedMemory(t *testing.T) {
	rows := 50_000
	if testing.Short() {
		rows = 10_000
	}
	s := serve(t, fmt.Sprintf(`create view large as select n, repeat('x', 1000) as t from generate_series(1, %d) n;`, rows))
	before := heap()
	response := s.open("/large", acceptNDJSON)
	defer response.Body.Close()
	var read int64
	var most uint64
	for {
		n, err := io.CopyN(io.Discard, response.Body, 5<<20)
		read += n
		most = max(most, heap())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < int64(rows)*1000 {
		t.Errorf("%d bytes", read)
	}
	if most > before+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes for a stream of %d", before, most, read)
	}
}

// heap is what is in use after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
