package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/rest"
)

// operations are what the seeds of FuzzBatch are made of.
var operations = []string{
	`{"method": "GET", "path": "/item?id=eq.1&select=id,part(*)"}`,
	`{"method": "GET", "path": "/item", "headers": {"Accept": "text/csv", "Range": "0-0"}}`,
	`{"method": "HEAD", "path": "/item", "headers": {"Prefer": "count=exact"}}`,
	`{"method": "POST", "path": "/item?columns=id,name", "headers": {"prefer": "return=representation, timezone=UTC"}, "body": [{"id": 3, "name": "x"}, {"id": 4}]}`,
	`{"method": "POST", "path": "/item", "headers": {"Content-Type": "text/csv"}, "body": "id,name\n5,\"a\"\n6,NULL"}`,
	`{"method": "POST", "path": "/item", "headers": {"Content-Type": "text/csv"}, "body": {"id": 7}}`,
	`{"method": "PATCH", "path": "/item?id=eq.1", "headers": {"If-Match": "\"x\""}, "body": {"name": "w\u0000"}}`,
	`{"method": "PUT", "path": "/item?id=eq.1", "body": {"id": 1, "name": "v"}}`,
	`{"method": "DELETE", "path": "/item_part?item_id=eq.1"}`,
	`{"method": "POST", "path": "/rpc/change", "body": {"n": 5}}`, `{"method": "POST", "path": "/rpc/nothing"}`,
	`{"method": "GET", "path": "/nope"}`, `{"method": "GET", "path": "item"}`, `{"method": "GET", "path": "//host/item"}`, `{"method": "GET", "path": "http://host/item"}`,
	`{"method": "TRACE", "path": "/item"}`, `{"method": "POST", "path": "/", "headers": {"Content-Type": "application/vnd.slipstream.batch+json"}, "body": {"operations": []}}`,
	`{"method": "GET", "path": "/"}`, `{"method": "GET", "path": "/item", "headers": {"Authorization": "Bearer x"}}`, `{"method": "GET", "path": "/item%zz"}`,
	`{"method": "POST", "path": "/item", "body": "\ud800"}`, `{"method": "POST", "path": "/item"}`, `{"Method": "GET", "PATH": "/item", "more": 1}`, `null`, `{}`, `[]`,
}

// FuzzBatch sends any body as a batch to a real database: the answer is an envelope that says what is wrong with all of it,
// or one result for each operation, none of them a 5xx. Nothing of it stays.
func FuzzBatch(f *testing.F) {
	for i, o := range operations {
		f.Add(`{"operations": [` + o + `]}`)
		f.Add(`{"transaction": false, "operations": [` + o + `, ` + operations[(i+3)%len(operations)] + `]}`)
		f.Add(`{"operations": [` + operations[3] + `, ` + o + `, ` + operations[0] + `]}`)
	}
	for _, body := range []string{``, `{}`, `{"operations": []}`, `{"operations": null}`, `[]`, `{"operations": [{}]} x`, `{"operations": [` + strings.Repeat(`{},`, 8) + `{}]}`, "\xff", `{"x": 1}`} {
		f.Add(body)
	}
	const most = 8
	a := newAPI(f, fuzzSQL, func(o *rest.Options) { o.TxRollback, o.BatchOperations = true, most })
	f.Cleanup(func() {
		if got := pgtest.Value(f, a.dsn, "select count(*) || ' ' || string_agg(name, ' ' order by id) from api.item"); got != "2 one two" {
			f.Errorf("it leaves %s", got)
		}
	})
	f.Fuzz(func(t *testing.T, body string) {
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, Host: "localhost", Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		r.Header = http.Header{"Content-Type": {rest.BatchType}}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r.WithContext(auth.WithCaller(t.Context(), a.caller)))
		if !strings.HasPrefix(w.Header().Get("Content-Type"), rest.BatchType) {
			if w.Code < 400 {
				t.Fatalf("%s: %d", body, w.Code)
			}
			checkAnswer(t, r, w)
			return
		}
		checkResults(t, body, w, most)
	})
}

func checkResults(t *testing.T, body string, w *httptest.ResponseRecorder, most int) {
	t.Helper()
	var sent struct{ Operations []json.RawMessage }
	var results []struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
	if err := json.Unmarshal(w.Body.Bytes(), &results); err != nil {
		t.Fatalf("%s: %v in %s", body, err, w.Body)
	}
	if err := json.Unmarshal([]byte(body), &sent); err != nil || len(results) != len(sent.Operations) || len(results) > most {
		t.Fatalf("%s: %d results, %v", body, len(results), err)
	}
	failed := false
	for i, r := range results {
		if r.Status < 200 || r.Status >= 500 {
			t.Fatalf("%s: operation %d is a %d: %s", body, i, r.Status, r.Body)
		}
		failed = failed || r.Status == w.Code
		var envelope struct{ Code, Message string }
		if r.Status >= 400 && r.Headers["Content-Type"] != "" && (json.Unmarshal(r.Body, &envelope) != nil || envelope.Code == "" || envelope.Message == "") {
			t.Fatalf("%s: operation %d, a %d, has no envelope: %s", body, i, r.Status, r.Body)
		}
	}
	if w.Code != http.StatusOK && !failed {
		t.Fatalf("%s: %d is the status of none of %s", body, w.Code, w.Body)
	}
}
