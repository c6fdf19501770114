package slipstream_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const itemSQL = `
	create table item (id int primary key, name text, price numeric);
	insert into item values (1, 'a', 1.5), (2, null, 2), (3, 'ü "q"', null), (4, 'd', 4), (5, 'e', 5);
	analyze item;
	create table part (id int primary key, item_id int references item);
	insert into part values (1, 1), (2, 1);
	create function nothing() returns void language sql as '';
	create function answer() returns int language sql immutable as 'select 42';
	create function items() returns setof item language sql stable as 'select * from api.item';
	create function change() returns void language sql volatile as '';
`

// exchange is a request, as "GET /path" with headers, and what its answer must be.
type exchange struct {
	request string
	send    []string
	status  int
	body    string
	headers []string
}

func (s *site) exchanges(t *testing.T, list []exchange) {
	t.Helper()
	for _, e := range list {
		t.Run(e.request+" "+strings.Join(e.send, " "), func(t *testing.T) {
			method, path, _ := strings.Cut(e.request, " ")
			s.send(method, path, e.send...).check(t, e.status, e.body, e.headers...)
		})
	}
}

func TestPagesAndCounts(t *testing.T) {
	const exact, planned, estimated = "Prefer: count=exact", "Prefer: count=planned", "Prefer: count=estimated"
	s := serve(t, itemSQL)
	s.exchanges(t, []exchange{
		{"GET /item?select=id", nil, 200, "*", []string{"Content-Range: 0-4/*", "Content-Length: 58", "Preference-Applied:"}},
		{"GET /item?select=id&limit=2", nil, 200, "[{\"id\":1}, \n {\"id\":2}]", []string{"Content-Range: 0-1/*"}},
		{"GET /item?select=id&limit=2&offset=3", []string{exact}, 206, "[{\"id\":4}, \n {\"id\":5}]", []string{"Content-Range: 3-4/5", "Preference-Applied: count=exact"}},
		{"GET /item?select=id", []string{exact}, 200, "*", []string{"Content-Range: 0-4/5"}},
		{"GET /item?select=id", []string{"Range: 1-2"}, 200, "[{\"id\":2}, \n {\"id\":3}]", []string{"Content-Range: 1-2/*"}},
		{"GET /item?select=id", []string{"Range: 1-2", "Range-Unit: items", exact}, 206, "[{\"id\":2}, \n {\"id\":3}]", []string{"Content-Range: 1-2/5"}},
		{"GET /item?id=gt.9", []string{exact}, 200, "[]", []string{"Content-Range: */0"}},
		{"GET /item?limit=0", []string{exact}, 206, "[]", []string{"Content-Range: */5"}},
		{"GET /item?offset=5", []string{exact}, 206, "[]", []string{"Content-Range: */5"}},
		{"GET /item?offset=6", []string{exact}, 416,
			`{"code":"PGRST103","details":"An offset of 6 was requested, but there are only 5 rows.","hint":null,"message":"Requested range not satisfiable"}`,
			[]string{"Content-Range: */5", "Proxy-Status: PostgREST; error=PGRST103", "Content-Location:", "Preference-Applied:", "Content-Type: application/json; charset=utf-8"}},
		{"GET /item?offset=6", nil, 200, "[]", []string{"Content-Range: */*"}},
		{"GET /item", []string{"Range: 3-1"}, 416, "*", []string{"Content-Range:"}},
		{"GET /item?select=id&limit=1", []string{planned}, 206, `[{"id":1}]`, []string{"Content-Range: 0-0/5", "Preference-Applied: count=planned"}},
		{"GET /item?select=id&limit=1", []string{estimated}, 206, `[{"id":1}]`, []string{"Content-Range: 0-0/5"}},
		{"GET /item?select=id&id=lt.0", []string{estimated}, 206, "[]", []string{"Content-Range: */1"}}, // no db-max-rows: the planner's word
		{"HEAD /item?limit=2", []string{exact}, 206, "", []string{"Content-Range: 0-1/5", "Content-Length:", "Content-Type: application/json; charset=utf-8"}},
		{"HEAD /item?offset=9", []string{exact}, 416, "", []string{"Content-Range: */5"}},
		{"GET /rpc/items?limit=2", []string{exact}, 206, "*", []string{"Content-Range: 0-1/5", "Content-Location:"}},
	})
}

func TestMaxRows(t *testing.T) {
	s := serve(t, itemSQL, func(c *slipstream.Config) { c.DBMaxRows = 2 })
	s.exchanges(t, []exchange{
		{"GET /item?select=id", nil, 200, "[{\"id\":1}, \n {\"id\":2}]", []string{"Content-Range: 0-1/*"}},
		{"GET /item?select=id&limit=4", []string{"Prefer: count=exact"}, 206, "*", []string{"Content-Range: 0-1/5"}},
		{"GET /item?select=id&limit=1", []string{"Prefer: count=exact"}, 206, "*", []string{"Content-Range: 0-0/5"}},
		{"GET /item?select=id&id=lt.2", []string{"Prefer: count=estimated"}, 200, "*", []string{"Content-Range: 0-0/1"}},
		{"GET /item?select=id", []string{"Prefer: count=estimated"}, 206, "*", []string{"Content-Range: 0-1/5"}},
		{"GET /item?select=id", []string{"Accept: text/csv", "Prefer: count=exact"}, 206, "id\n1\n2", []string{"Content-Range: 0-1/5"}},
		{"GET /item?select=id", []string{"Prefer: pagination=cursor, count=exact"}, 206, "*", []string{"Content-Range: 0-1/5"}},
	})
}

func TestMediaTypes(t *testing.T) {
	const singular = "Accept: application/vnd.pgrst.object+json"
	s := serve(t, itemSQL, func(c *slipstream.Config) { c.DBPlanEnabled = true })
	s.exchanges(t, []exchange{
		{"GET /item?id=eq.1", []string{singular}, 200, `{"id":1,"name":"a","price":1.5}`, []string{"Content-Type: application/vnd.pgrst.object+json; charset=utf-8"}},
		{"GET /item?id=eq.9", []string{singular}, 406,
			`{"code":"PGRST116","details":"The result contains 0 rows","hint":null,"message":"Cannot coerce the result to a single JSON object"}`,
			[]string{"Content-Range:", "Content-Location:", "Proxy-Status: PostgREST; error=PGRST116"}},
		{"GET /item", []string{singular}, 406, "*", nil},
		{"HEAD /item?id=eq.1", []string{singular}, 200, "", nil},
		{"HEAD /item", []string{singular}, 406, "", nil},
		{"GET /item?id=eq.2", []string{"Accept: application/vnd.pgrst.object+json;nulls=stripped"}, 200, `{"id":2,"price":2}`, nil},
		{"GET /item?id=in.(2,3)&select=name,price", []string{"Accept: application/vnd.pgrst.array+json;nulls=stripped"}, 200,
			`[{"price":2},{"name":"ü \"q\""}]`, []string{"Content-Type: application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8"}},
		{"GET /item", []string{"Accept: image/png"}, 406, `{"code":"PGRST107","details":null,"hint":null,"message":"None of these media types are available: image/png"}`, nil},
		{"GET /item?id=eq.1", []string{"Accept: image/png, text/csv;q=0.5"}, 200, "id,name,price\n1,a,1.5", []string{"Content-Type: text/csv; charset=utf-8"}},
		{"GET /item", []string{"Accept: application/vnd.pgrst.plan+json"}, 200, "*", []string{"Content-Range:", "Content-Location:", "Vary: Accept, Prefer, Range",
			`Content-Type: application/vnd.pgrst.plan+json; for="application/json"; charset=utf-8`}},
		{"GET /rpc/nothing", nil, 204, "", []string{"Content-Type:", "Content-Length:", "Content-Range: 0-0/*"}},
		{"HEAD /rpc/nothing", nil, 204, "", []string{"Content-Type:"}},
		{"GET /rpc/answer", nil, 200, "42", []string{"Content-Length: 2", "Content-Location:"}},
		{"GET /rpc/answer", []string{"Accept: text/csv"}, 200, "pgrst_scalar\n42", nil},
	})
}

func TestHeaders(t *testing.T) {
	s := serve(t, itemSQL, func(c *slipstream.Config) { c.DBTxEnd = "commit-allow-override" })
	s.exchanges(t, []exchange{
		{"GET /item?select=id&name=eq.%C3%BC+x%25&id=gt.3", nil, 200, "[]",
			[]string{"Content-Location: /item?id=gt.3&name=eq.%C3%BC%20x%25&select=id", "Vary: Accept, Prefer, Range", "Content-Profile:"}},
		{"GET /item?id=eq.1;select=id&&b", nil, 200, `[{"id":1}]`, []string{"Content-Location: /item?b=&id=eq.1&select=id"}},
		{"GET /item", []string{"Prefer: count=exact, handling=lenient, unknown=1", "Prefer: tx=rollback, timezone=UTC, max-affected=3"}, 200, "*",
			[]string{"Preference-Applied: count=exact, tx=rollback, handling=lenient, timezone=UTC"}},
		{"GET /rpc/items", []string{"Prefer: handling=strict, max-affected=300"}, 200, "*", []string{"Preference-Applied: handling=strict, max-affected=300"}},
		{"GET /rpc/items?id=lte.4", []string{"Prefer: handling=strict, max-affected=3"}, 400,
			`{"code":"PGRST124","details":"The query affects 4 rows","hint":null,"message":"Query result exceeds max-affected preference constraint"}`, []string{"Preference-Applied:"}},
		{"GET /item", []string{"Prefer: handling=strict, unknown=1"}, 400,
			`{"code":"PGRST122","details":"Invalid preferences: unknown=1","hint":null,"message":"Invalid preferences given with handling=strict"}`, []string{"Preference-Applied:"}},
		{"GET /item", []string{"Prefer: timezone=Nowhere/Else"}, 400, "*", []string{"Proxy-Status: PostgREST; error=22023"}},
		{"GET /item?select=id,parts:part(id)&part.id=eq.1&id=eq.1", nil, 200, "*", []string{
			"Warning: 299 PostgRESTv16 \"Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop working in a future release. Update `part` to `parts` in query string filters, orders or limits.\""}},
		{"OPTIONS /item", nil, 200, "", []string{"Allow: OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE", "Access-Control-Allow-Origin: *", "Content-Length: 0"}},
		{"OPTIONS /rpc/answer", nil, 200, "", []string{"Allow: OPTIONS,GET,HEAD,POST"}},
		{"OPTIONS /rpc/change", nil, 200, "", []string{"Allow: OPTIONS,POST"}},
		{"OPTIONS /", nil, 200, "", []string{"Allow: OPTIONS,GET,HEAD"}},
		{"OPTIONS /unknown", nil, 404, "*", []string{"Allow:", "Proxy-Status: PostgREST; error=PGRST205"}},
		{"DELETE /rpc/answer", nil, 405, "*", []string{"Proxy-Status: PostgREST; error=PGRST101"}},
		{"TRACE /item", nil, 405, "*", []string{"Proxy-Status: PostgREST; error=PGRST117"}},
		{"GET /a/b", nil, 404, "*", []string{"Proxy-Status: PostgREST; error=PGRST125"}},
		{"GET /itm", nil, 404,
			`{"code":"PGRST205","details":null,"hint":"Perhaps you meant the table 'api.item'","message":"Could not find the table 'api.itm' in the schema cache"}`, nil},
	})
}

func TestNamesInHeadersAreEscaped(t *testing.T) {
	s := serve(t, `create table "a ü>b" (id int primary key); insert into "a ü>b" values (1), (2);
		create table part (id int primary key, "a" int references "a ü>b");`)
	s.exchanges(t, []exchange{
		{"GET /a%20%C3%BC%3Eb?limit=1&select=id", nil, 200, `[{"id":1}]`, []string{"Content-Location: /a%20%C3%BC%3Eb?limit=1&select=id"}},
		{"GET /part?select=id,%22x%0d%0aX-Evil:1%22:%22a%20%C3%BC%3Eb%22(id)&%22a%20%C3%BC%3Eb%22.id=eq.1", nil, 200, `[]`, []string{"X-Evil:"}},
	})
}

func TestProfiles(t *testing.T) {
	s := serve(t, itemSQL+`create schema other; grant usage on schema other to ANON; create table other.thing (id int); grant select on other.thing to ANON;
		create table other.item (other text); grant select on other.item to ANON;`,
		func(c *slipstream.Config) { c.DBSchemas = []string{"api", "other"} })
	s.exchanges(t, []exchange{
		{"GET /item?id=eq.1&select=id", nil, 200, `[{"id":1}]`, []string{"Content-Profile: api"}},
		{"GET /item", []string{"Accept-Profile: other"}, 200, "[]", []string{"Content-Profile: other"}},
		{"HEAD /thing", []string{"Accept-Profile: other"}, 200, "", []string{"Content-Profile: other"}},
		{"GET /thing", nil, 404, "*", []string{"Content-Profile:"}},
		{"GET /item", []string{"Accept-Profile: secret"}, 406,
			`{"code":"PGRST106","details":null,"hint":"Only the following schemas are exposed: api, other","message":"Invalid schema: secret"}`, nil},
	})
}

func TestRootIsAFunction(t *testing.T) {
	s := serve(t, itemSQL, func(c *slipstream.Config) { c.DBRootSpec = "answer" })
	s.get("/").check(t, 200, "42")
	s = serve(t, itemSQL, func(c *slipstream.Config) { c.OpenAPIMode = "disabled" })
	s.get("/").check(t, 404, `{"code":"PGRST126","details":null,"hint":null,"message":"Root endpoint metadata is disabled"}`)
}

func TestServerTiming(t *testing.T) {
	s := serve(t, itemSQL, func(c *slipstream.Config) { c.ServerTimingEnabled = true })
	for _, e := range [][3]string{{"GET", "/item", "application/json"}, {"GET", "/item", "text/csv"}, {"OPTIONS", "/item"}, {"OPTIONS", "/"}} {
		got := s.send(e[0], e[1], "Accept: "+e[2]).Header.Get("Server-Timing")
		for phase := range strings.SplitSeq("jwt;dur= parse;dur= plan;dur= transaction;dur= response;dur=", " ") {
			if !strings.Contains(got, phase) {
				t.Errorf("%s: no %s in %q", e, phase, got)
			}
		}
	}
}
