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
	"github.com/slipstream-go/slipstream/internal/rest"
)

const fuzzSQL = `
	create type mood as enum ('good', 'bad');
	create type pair as (a int, b text);
	create table item (id int primary key, name text, price numeric, tags text[], data jsonb, span int4range, day date, feeling mood, twin pair, parent int references item,
		search tsvector generated always as (to_tsvector('english', coalesce(name, ''))) stored, raw bytea, cursor text);
	insert into item (id, name, price, tags, data, span, day, feeling, twin, parent, raw)
		values (1, 'one', 1.5, '{a,b}', '{"k": [1, {"x": null}]}', '[1,5)', '2024-02-29', 'good', (1, 'x'), null, '\x00ff'), (2, 'two', null, null, null, null, null, null, null, 1, null);
	create table part (id int primary key, item_id int references item, "odd ""name"" ü" text); insert into part values (1, 1, 'p');
	create table item_part (item_id int references item, part_id int references part, primary key (item_id, part_id)); insert into item_part values (1, 1);
	create view seen as select id, name from item;
	create function label(item) returns text language sql stable as 'select $1.name || ''!''';
	create function kin(item) returns setof item rows 1 language sql stable as 'select * from api.item where id = $1.parent';
	create function find(name text, n int default 1) returns setof item language sql stable as 'select * from api.item i where i.name = $1 limit n';
	create function find(id int) returns int language sql stable as 'select $1';
	create function many(variadic v int[]) returns int language sql immutable as 'select cardinality(v)';
	create function one() returns int language sql immutable as 'select 1';
	create function nothing() returns void language sql stable as '';
	create function change(n int, j jsonb default null) returns int language sql volatile as 'insert into api.part values (n) returning id';
	grant all on all tables in schema api to public;
`

// fuzzSeeds are targets with headers. The fuzzer takes it from there.
var fuzzSeeds = []struct{ target, headers string }{
	{"/item", ""}, {"/", ""}, {"/rpc/one", ""}, {"/rpc/nothing", ""}, {"/seen?id=eq.1", ""},
	{"/item?select=id,n:name,price::text,data->k->0,data->>k,tags,label&id=gte.1&order=price.desc.nullslast,id&limit=5&offset=1", "Prefer: count=exact"},
	{"/item?name=like.*o*&price=is.null&tags=cs.{a}&span=ov.[1,3]&data->k=not.is.null", "Prefer: count=planned"},
	{"/item?or=(id.eq.1,and(name.ilike.t*,not.price.gt.2))&name=in.(one,\"two\")", "Prefer: count=estimated, timezone=UTC"},
	{"/item?search=fts(english).one&search=plfts.x&search=phfts.y&search=wfts.z", "Accept: text/csv"},
	{"/item?day=gt.2024-01-01&feeling=eq.good&twin=eq.(1,x)&span=adj.[5,6)&span=sl.[9,10)", "Accept: application/x-ndjson"},
	{"/item?select=*,part(*),kin(id),parent(name)&part.order=id.desc&part.limit=1", ""},
	{"/item?select=id,item_part(part!inner(id))&item_part.part.id=eq.1", "Accept: application/vnd.pgrst.object+json"},
	{"/item?select=id,...part(pid:id)&part=is.null", "Accept: application/vnd.pgrst.array+json;nulls=stripped"},
	{"/part?select=id,item!part_item_id_fkey!inner(name)&item.name=eq.one&order=item(name)", ""},
	{"/item?select=count(),price.sum()::text,name&order=name", "Prefer: pagination=cursor"},
	{"/item?limit=1&order=name.desc", "Prefer: pagination=cursor"},
	{"/item?limit=1&cursor=AW4CMQ", ""},
	{"/part?%22odd%20%5C%22name%5C%22%20%C3%BC%22=eq.p", ""},
	{"/rpc/find?name=one&n=2&select=id&id=gt.0", ""}, {"/rpc/find?id=1", ""}, {"/rpc/many?v=1&v=2", ""}, {"/rpc/find?name=eq.one", ""},
	{"/item?id=eq.1", "Accept: application/vnd.pgrst.plan+json; for=\"text/csv\"; options=verbose"},
	{"/item?id=eq.1", "Accept: application/vnd.pgrst.object+json\nIf-None-Match: W/\"a\", \"b\""}, {"/item?id=eq.1", "Accept: application/vnd.pgrst.object+json\nIf-Match: *\nIf-None-Match: *"},
	{"/item", "Range: 0-1\nRange-Unit: items\nAccept-Profile: api"},
	{"/item", "Accept: image/png;q=0.1, */*;q=0.01\nPrefer: handling=strict, max-affected=1"},
	{"/item?id=eq.99999999999999999999&price=eq.1e400&day=eq.0&name=eq.%00&limit=99999999999999999999", ""},
	{"/item?name=eq.%ff%fe&select=%ff", ""}, {"/item?select=((((((((((", ""}, {"/item?and=(and(and(and(and(id.eq.1)))))", ""},
	{"/item?select=part(item(part(item(part(id)))))", ""}, {"/item?select=" + strings.Repeat("x", 300), ""}, {"/" + strings.Repeat("y", 300), ""},
	{"/item?name=match.((((&name=imatch.%5B", ""}, {"/item?id=eq(any).{1,2}&name=like(all).{a*,*b}&id=neq(any).{1}", ""}, {"/item?order=data->k->>x.asc.nullsfirst,kin(id)", ""},
	{"/item?id=isdistinct.1&name=not.isdistinct.null&price=is.unknown", ""}, {"/item?name=like.%5C&name=ilike.*%5C", ""}, {"/item?data=eq.{&data=cs.x&tags=eq.{", ""},
	{"/item?raw=eq.%5Cx0&id=in.()", ""}, {"/item?limit=-1&offset=-1", ""}, {"/item?select=id::nosuch,name::int", ""}, {"/item?cursor=eq.a", ""},
}

// writeSeeds are requests with bodies.
var writeSeeds = []struct{ method, target, headers, body string }{
	{"POST", "/item", "Prefer: return=representation", `{"id": 3, "name": "x", "tags": ["a"], "data": {"k": 1}, "span": "[1,2)", "twin": {"a": 1, "b": "c"}}`},
	{"POST", "/item?columns=id,name&select=id,part(id)", "Prefer: return=representation, missing=default", `[{"id": 4}, {"id": 5, "name": null}]`},
	{"POST", "/item?on_conflict=id", "Prefer: resolution=merge-duplicates, return=headers-only, count=exact", `{"id": 1, "name": "y"}`},
	{"POST", "/item", "Content-Type: text/csv\nAccept: text/csv\nPrefer: return=representation", "id,name\n6,a\n7,NULL"},
	{"POST", "/item", "Content-Type: application/x-www-form-urlencoded", "id=8&name=z"},
	{"POST", "/item", "", `[{"id": 9}, {"nome": 1}]`}, {"POST", "/item", "", `{`}, {"POST", "/item", "", `[]`}, {"POST", "/item", "", `{"id": "\u0000"}`},
	{"PATCH", "/item?id=eq.1", "Prefer: return=representation, max-affected=1, handling=strict", `{"name": "w"}`},
	{"PATCH", "/item", "Accept: application/vnd.pgrst.object+json\nPrefer: return=representation", `{"price": 1e400}`},
	{"PUT", "/item?id=eq.1", "", `{"id": 1, "name": "v"}`}, {"PUT", "/item?id=eq.1", "", `{"id": 2}`}, {"PUT", "/item?id=gt.1", "", `{"id": 2}`},
	{"PATCH", "/item?id=eq.1&select=id,data->k,label", "If-Match: \"0123456789abcdef0123456789abcdef\"", `{"name": "w"}`}, {"DELETE", "/item?id=eq.1", "If-Match: *", ""},
	{"PUT", "/item?id=eq.1", "If-Match: \"a\", W/\"b\"\nPrefer: return=representation", `{"id": 1, "name": "v"}`}, {"PUT", "/item?id=eq.1", "If-None-Match: *", `{"id": 1, "name": "v"}`},
	{"DELETE", "/item?id=eq.2", "Prefer: return=representation", ""}, {"DELETE", "/item?limit=1&order=id", "Accept: application/x-ndjson", ""},
	{"POST", "/rpc/change", "Prefer: tx=rollback", `{"n": 5, "j": [1]}`}, {"POST", "/rpc/find", "", `{"name": "one"}`}, {"POST", "/rpc/many", "", `{"v": [1, 2]}`},
	{"POST", "/rpc/one", "Content-Type: text/plain", "text"}, {"POST", "/rpc/find", "Content-Type: application/octet-stream", "\xff\x00"}, {"DELETE", "/", "", ""},
}

// FuzzRequests sends anything to the whole data API on a real database: what the client sent wrong is a 4xx that says so
// in the envelope, and nothing it can send is a 5xx or a panic. Writes are rolled back.
func FuzzRequests(f *testing.F) {
	for _, s := range fuzzSeeds {
		for _, method := range []string{"GET", "HEAD"} {
			path, query, _ := strings.Cut(s.target, "?")
			f.Add(method, path, query, s.headers, "")
		}
	}
	for _, s := range writeSeeds {
		path, query, _ := strings.Cut(s.target, "?")
		f.Add(s.method, path, query, s.headers, s.body)
	}
	f.Add("OPTIONS", "/item", "", "", "")
	f.Add("OPTIONS", "/rpc/find", "name=x", "", "")
	a := newAPI(f, fuzzSQL, func(o *rest.Options) {
		o.Plan.Explain, o.Plan.Aggregates, o.Plan.LegacyTargetNames, o.Plan.MaxRows, o.StreamBuffer = true, true, true, 100, 64
		o.TxRollback = true
	})
	f.Fuzz(func(t *testing.T, method, path, query, headers, body string) {
		u, err := url.ParseRequestURI(path + "?" + query)
		if err != nil || !strings.HasPrefix(path, "/") || strings.Contains(path, "?") {
			t.Skip("net/http answers this")
		}
		r := &http.Request{Method: method, URL: u, Host: "localhost", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		for line := range strings.Lines(headers) {
			if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && name != "" {
				r.Header.Add(name, strings.TrimSpace(value))
			}
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r.WithContext(auth.WithCaller(t.Context(), a.caller)))
		checkAnswer(t, r, w)
	})
}

func checkAnswer(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.Bytes()
	if w.Code >= 500 {
		t.Fatalf("%s %s %v: %d %s", r.Method, r.URL, r.Header, w.Code, body)
	}
	if r.Method == http.MethodHead {
		if len(body) > 0 {
			t.Fatalf("HEAD has the body %s", body)
		}
		return
	}
	if w.Code < 400 && w.Code != http.StatusMultipleChoices {
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(body) {
			t.Fatalf("%s: not JSON: %s", r.URL, body)
		}
		return
	}
	var envelope map[string]any
	if err := json.Unmarshal(body, &envelope); err != nil || len(envelope) != 4 || envelope["code"] == "" || envelope["message"] == "" {
		t.Fatalf("%s: %d without an envelope: %s", r.URL, w.Code, body)
	}
	for _, key := range []string{"code", "details", "hint", "message"} {
		if _, ok := envelope[key]; !ok {
			t.Fatalf("no %s in %s", key, body)
		}
	}
	if got := w.Header().Get("Proxy-Status"); got != "PostgREST; error="+envelope["code"].(string) {
		t.Fatalf("Proxy-Status %q for %s", got, body)
	}
}
