package slipstream_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const batchSQL = itemSQL + grantSQL + `
	create table api.line (id int primary key, item int not null references api.item deferrable initially deferred, n int check (n > 0));
	create table api.log (who text, headers json);
	grant select, insert, update, delete on api.line, api.log to ANON, MEMBER;
	create function api.note() returns text language sql volatile as
		$$ insert into api.log values (current_user, current_setting('request.headers')::json) returning who $$;
	create function api.custom() returns int language plpgsql volatile as $$ begin
		perform set_config('response.status', '418', true);
		perform set_config('response.headers', '[{"X-Custom": "yes"}]', true);
		return 1;
	end $$;
	create function api.serial() returns int language sql volatile set default_transaction_isolation = 'serializable' as 'select 1';`

// batch sends operations, and gives the answer and what it holds.
func (s *site) batch(t *testing.T, body string, headers ...string) (answer, []batchResult) {
	t.Helper()
	a := s.write("POST", "/", body, append([]string{"Content-Type: application/vnd.slipstream.batch+json"}, headers...)...)
	var results []batchResult
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/vnd.slipstream.batch+json") {
		if err := json.Unmarshal([]byte(a.body), &results); err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
	}
	return a, results
}

type batchResult struct {
	Status   int
	Headers  map[string]string
	Body     json.RawMessage
	Encoding string
}

func statuses(results []batchResult) string {
	var out []string
	for _, r := range results {
		out = append(out, fmt.Sprint(r.Status))
	}
	return strings.Join(out, " ")
}

// TestBatch: several operations, one transaction, each answered as if it had come alone.
func TestBatch(t *testing.T) {
	s := serve(t, batchSQL)
	a, results := s.batch(t, `{"operations": [
		{"method": "POST", "path": "/line?select=id,n", "headers": {"Prefer": "return=representation"}, "body": [{"id": 1, "item": 77, "n": 1}]},
		{"method": "POST", "path": "/item", "body": {"id": 77, "name": "seventy-seven"}},
		{"method": "GET", "path": "/item?id=eq.77&select=name", "headers": {"accept": "application/vnd.pgrst.object+json"}},
		{"method": "GET", "path": "/item?id=eq.77&select=name", "headers": {"Accept": "text/csv"}},
		{"method": "PATCH", "path": "/line?id=eq.1", "body": {"n": 5}},
		{"method": "POST", "path": "/line", "headers": {"Content-Type": "text/csv"}, "body": "id,item,n\n2,77,2\n"},
		{"method": "HEAD", "path": "/line?item=eq.77", "headers": {"Prefer": "count=exact"}},
		{"method": "DELETE", "path": "/line?id=eq.2"},
		{"method": "POST", "path": "/rpc/custom"},
		{"method": "POST", "path": "/rpc/note"},
		{"method": "GET", "path": "/line"}]}`, s.bearer())
	a.check(t, 200, "*", "Content-Type: application/vnd.slipstream.batch+json; charset=utf-8")
	if got := statuses(results); got != "201 201 200 200 204 201 200 204 418 200 200" {
		t.Fatalf("statuses %s in %s", got, a.body)
	}
	for i, want := range map[int]string{
		0: `[{"id":1,"n":1}]`, 2: `{"name":"seventy-seven"}`, 3: `"name\u000aseventy-seven"`, 4: "", 8: "1", 9: `"` + s.member + `"`,
		10: `[{"id":1,"item":77,"n":5}]`,
	} {
		if got := string(results[i].Body); got != want {
			t.Errorf("operation %d gives %s, want %s", i+1, got, want)
		}
	}
	if results[6].Headers["Content-Range"] != "0-1/2" || results[8].Headers["X-Custom"] != "yes" || results[9].Headers["X-Custom"] != "" {
		t.Errorf("headers in %s", a.body)
	}
	if got := s.value("select string_agg(id || ' ' || n, ', ') from api.line"); got != "1 5" {
		t.Errorf("left: %s", got)
	}
}

// TestBatchIsAllOrNothing: whatever fails, nothing of the batch is left.
func TestBatchIsAllOrNothing(t *testing.T) {
	s := serve(t, batchSQL, func(c *slipstream.Config) { c.DBTxEnd = "commit-allow-override" })
	const insert = `{"method": "POST", "path": "/item", "body": {"id": 77, "name": "x"}}`
	before := s.value("select count(*) from api.item")
	for name, c := range map[string]struct {
		operation string
		status    int
		code      string
	}{
		"a constraint":      {`{"method": "POST", "path": "/line", "body": {"id": 1, "item": 1, "n": 0}}`, 400, "23514"},
		"a duplicate":       {insert, 409, "23505"},
		"an unknown table":  {`{"method": "GET", "path": "/itme"}`, 404, "PGRST205"},
		"a bad filter":      {`{"method": "GET", "path": "/item?id=is.5"}`, 400, "PGRST100"},
		"a bad value":       {`{"method": "GET", "path": "/item?id=eq.x"}`, 400, "22P02"},
		"not one object":    {`{"method": "GET", "path": "/item?id=lt.3", "headers": {"Accept": "application/vnd.pgrst.object+json"}}`, 406, "PGRST116"},
		"too many affected": {`{"method": "PATCH", "path": "/item?id=lt.5", "headers": {"Prefer": "handling=strict, max-affected=1"}, "body": {"name": "y"}}`, 400, "PGRST124"},
		"a write by GET":    {`{"method": "GET", "path": "/rpc/note"}`, 405, "25006"},
		"ragged rows":       {`{"method": "POST", "path": "/item", "body": [{"id": 8}, {"name": "z"}]}`, 400, "PGRST102"},
	} {
		t.Run(name, func(t *testing.T) {
			a, results := s.batch(t, `{"operations": [`+insert+`, `+c.operation+`, {"method": "GET", "path": "/item"}]}`, s.bearer())
			if a.StatusCode != c.status || statuses(results) != fmt.Sprintf("424 %d 424", c.status) {
				t.Fatalf("status %d with %s", a.StatusCode, a.body)
			}
			if !strings.Contains(string(results[1].Body), `"code":"`+c.code+`"`) || !strings.Contains(string(results[0].Body), "SLIP114") {
				t.Errorf("answers %s", a.body)
			}
			if got := s.value("select count(*) from api.item"); got != before {
				t.Errorf("%s items, want %s", got, before)
			}
		})
	}
	t.Run("at the commit", func(t *testing.T) {
		a, _ := s.batch(t, `{"operations": [`+insert+`, {"method": "POST", "path": "/line", "body": {"id": 1, "item": 4711, "n": 1}}]}`, s.bearer())
		if a.check(t, 409, "*"); !strings.Contains(a.body, "23503") || s.value("select count(*) from api.item") != before {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("rolled back by wish", func(t *testing.T) {
		a, results := s.batch(t, `{"operations": [`+insert+`, {"method": "GET", "path": "/item?id=eq.77&select=id"}]}`, s.bearer(), "Prefer: tx=rollback")
		if a.StatusCode != 200 || string(results[1].Body) != `[{"id":77}]` || s.value("select count(*) from api.item") != before {
			t.Errorf("got %s", a.body)
		}
	})
}

// TestIndependentBatch: each for itself.
func TestIndependentBatch(t *testing.T) {
	s := serve(t, batchSQL)
	a, results := s.batch(t, `{"transaction": false, "operations": [
		{"method": "POST", "path": "/item", "body": {"id": 77, "name": "x"}},
		{"method": "POST", "path": "/item", "body": {"id": 77, "name": "y"}},
		{"method": "GET", "path": "/item?id=eq.77&select=name", "headers": {"Accept": "application/x-ndjson"}},
		{"method": "POST", "path": "/rpc/serial"}]}`, s.bearer())
	if a.check(t, 200, "*"); statuses(results) != "201 409 200 200" || string(results[2].Body) != `"{\"name\":\"x\"}\u000a"` {
		t.Errorf("got %s", a.body)
	}
}

// TestBatchRefused: what cannot be run is refused as a whole, with its place.
func TestBatchRefused(t *testing.T) {
	s := serve(t, batchSQL, func(c *slipstream.Config) { c.BatchMaxOperations = 2 })
	const get = `{"method": "GET", "path": "/item"}`
	for body, want := range map[string]string{
		``:                                 "not readable",
		`[]`:                               "not readable",
		`{"operations": []`:                "not readable",
		`{"operations": []}`:               "0 operations",
		`{"operations": [` + get + `]} {}`: "more behind",
		`{"operation": [` + get + `]}`:     "unknown field",
		`{"operations": [` + get + "," + get + "," + get + `]}`:                                                                   "3 operations",
		`{"operations": [{"method": "GET", "path": "item"}]}`:                                                                     "Operation 1: path",
		`{"operations": [` + get + `, {"method": "GET", "path": "?x"}]}`:                                                          "Operation 2: path",
		`{"operations": [{"method": "GET", "path": "http://evil/item"}]}`:                                                         "Operation 1: path",
		`{"operations": [{"method": "TRACE", "path": "/item"}]}`:                                                                  "TRACE",
		`{"operations": [{"method": "GET", "path": "/item", "headers": {"Authorization": "Bearer x"}}]}`:                          "Authorization",
		`{"operations": [{"method": "GET", "path": "/item", "headers": {"X-Forwarded-For": "::1"}}]}`:                             "X-Forwarded-For",
		`{"operations": [{"method": "POST", "path": "/", "headers": {"Content-Type": "application/vnd.slipstream.batch+json"}}]}`: "cannot hold a batch",
		`{"operations": [{"method": "POST", "path": "/item", "headers": {"Content-Type": "text/csv"}, "body": {}}]}`:              "must be a string",
	} {
		a, _ := s.batch(t, body, s.bearer())
		if a.StatusCode != 400 || !strings.Contains(a.body, want) || !strings.Contains(a.body, "SLIP109") {
			t.Errorf("%s: %d %s, want %s", body, a.StatusCode, a.body, want)
		}
	}
	a, results := s.batch(t, `{"operations": [`+get+`, {"method": "POST", "path": "/rpc/serial"}]}`, s.bearer())
	if statuses(results) != "424 400" {
		t.Errorf("another isolation level: %s", a.body)
	}
	off := serve(t, batchSQL, func(c *slipstream.Config) { c.BatchMaxOperations = slipstream.NoBatch })
	if a, _ := off.batch(t, `{"operations": [`+get+`]}`); a.StatusCode != 400 || !strings.Contains(a.body, "switched off") {
		t.Errorf("switched off: %d %s", a.StatusCode, a.body)
	}
}

// TestBatchIdentity: an operation is its caller's, and a proxy's headers stay what they are.
func TestBatchIdentity(t *testing.T) {
	s := serve(t, batchSQL)
	a, _ := s.batch(t, `{"operations": [{"method": "POST", "path": "/rpc/note", "headers": {"Prefer": "handling=strict"}}]}`,
		s.bearer(), "X-Forwarded-For: 192.0.2.1", "Accept: text/plain")
	a.check(t, 200, "*")
	if got := s.value("select who || ' ' || (headers->>'x-forwarded-for') || ' ' || (headers->>'prefer') from api.log"); got != s.member+" 192.0.2.1 handling=strict" {
		t.Error(got)
	}
	a, results := s.batch(t, `{"operations": [{"method": "GET", "path": "/item?limit=1&select=id"}]}`)
	if a.StatusCode != 200 || string(results[0].Body) != `[{"id":1}]` {
		t.Errorf("anonymously: %s", a.body)
	}
	s.exec("revoke all on api.item from ANON")
	if a, results = s.batch(t, `{"operations": [{"method": "GET", "path": "/item"}]}`); a.StatusCode != 401 || statuses(results) != "401" {
		t.Errorf("anonymously, without the right: %d %s", a.StatusCode, a.body)
	}
}

// TestBatchesAtOnce: transactions that move units about between rows keep their sum.
func TestBatchesAtOnce(t *testing.T) {
	s := serve(t, batchSQL+"create table api.account (id int primary key, units int check (units >= 0));"+
		"grant select, update on api.account to ANON, MEMBER; insert into api.account select i, 10 from generate_series(1, 4) i;"+
		"create function api.move(source int, target int, n int) returns void language sql as $$ update api.account set units = units + case id when source then -n else n end where id in (source, target) $$;")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 10 {
				from, to := 1+(i+n)%4, 1+(i+n+1+n%3)%4
				s.batch(t, fmt.Sprintf(`{"operations": [
					{"method": "POST", "path": "/rpc/move", "body": {"source": %d, "target": %d, "n": 1}},
					{"method": "POST", "path": "/rpc/move", "body": {"source": %d, "target": %d, "n": 5}}]}`, from, to, to, from), s.bearer())
			}
		})
	}
	all.Wait()
	if got := s.value("select sum(units) from api.account"); got != "40" {
		t.Errorf("%s units", got)
	}
}

// A batch whose connection turns out to be dead begins anew on another one, with the bodies of its operations.
func TestBatchOnADeadConnection(t *testing.T) {
	s := serve(t, batchSQL)
	for i := range 3 {
		a, results := s.batch(t, fmt.Sprintf(`{"operations": [{"method": "POST", "path": "/item", "body": {"id": %d, "name": "x"}}]}`, 90+i))
		if a.StatusCode != 200 || statuses(results) != "201" {
			t.Errorf("%d: %s", a.StatusCode, a.body)
		}
		s.exec("select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = 'LOGIN' and backend_type = 'client backend'")
	}
}
