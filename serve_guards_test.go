package slipstream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
)

// guardedSQL is a shop with orders of three customers, who see their own in the view mine.
const guardedSQL = `
	create table customer (id int primary key, name text);
	create table purchase (id int primary key, customer int references customer, note text, placed date);
	create index on purchase (customer, placed);
	create table free (id int primary key, note text);
	insert into customer select n, 'c' || n from generate_series(1, 3) n;
	insert into purchase select n, n % 3 + 1, 'n' || n, date '2024-01-01' + n from generate_series(1, 9) n;
	insert into free select generate_series(1, 9);
	create view noted as select id as number, note as remark from purchase;` + grantSQL

type guards = map[string]slipstream.RelationGuards

// guardedShop serves the shop with guards.
func guardedShop(t *testing.T, g guards, change ...func(*slipstream.Config)) *site {
	t.Helper()
	return serve(t, guardedSQL, append(change, func(c *slipstream.Config) { c.Relations = g })...)
}

// guarded checks that a guard has refused the request.
func (a answer) guarded(t *testing.T, guard, text string) {
	t.Helper()
	a.check(t, 400, "*", "Content-Type: application/json; charset=utf-8")
	if !strings.Contains(a.body, `"code":"SLIP110"`) || !strings.Contains(a.body, "is guarded by "+guard+".") || !strings.Contains(a.body, text) {
		t.Errorf("want %s and %q in:\n%s", guard, text, a.body)
	}
}

func TestGuardOfWholeTables(t *testing.T) {
	s := guardedShop(t, guards{"purchase": {}, "api.customer": {FullTableWrites: new(true)}})
	const look = `select string_agg(id || coalesce(note, '-'), ' ' order by id) from api.purchase`
	before := s.value(look)
	s.write("PATCH", "/purchase", `{"note": "x"}`).check(t, 400, `{"code":"SLIP110","details":"'purchase' is guarded by full-table-writes.",`+
		`"hint":"Choose rows by a filter or a limit, or have full-table-writes of 'purchase' set to true","message":"PATCH of all rows of 'purchase' is not allowed"}`)
	s.write("DELETE", "/purchase", "").guarded(t, "full-table-writes", "DELETE of all rows")
	s.write("DELETE", "/purchase?offset=2&order=id", "").guarded(t, "full-table-writes", "DELETE of all rows")
	s.write("DELETE", "/purchase?select=id,customer(id)&customer.id=eq.1", "", "Prefer: return=representation").guarded(t, "full-table-writes", "DELETE of all rows")
	if after := s.value(look); after != before {
		t.Errorf("a refused write leaves\n%s\nof\n%s", after, before)
	}

	s.write("PATCH", "/purchase?id=lte.2", `{"note": "x"}`).check(t, 204, "")
	s.write("PATCH", "/purchase?or=(id.eq.3,id.eq.4)", `{"note": "y"}`).check(t, 204, "")
	s.write("DELETE", "/purchase?limit=2&order=id.desc", "").check(t, 204, "")
	s.write("DELETE", "/purchase?and=(id.gte.6,id.lte.7)", "").check(t, 204, "")
	if got := s.value(look); got != "1x 2x 3y 4y 5n5" {
		t.Error(got)
	}
	s.write("PATCH", "/customer", `{"name": "same"}`).check(t, 204, "")
	s.write("DELETE", "/free", "").check(t, 204, "")
}

// A configuration of PostgREST's knows no guards, and nothing changes for it.
func TestNoGuards(t *testing.T) {
	s := newSite(t, guardedSQL)
	c, warnings, err := slipstream.Load(slipstream.Sources{
		File: writeFile(t, "postgrest.conf", `db-uri = "`+s.config.DBURI+`"
db-schemas = "api"
db-anon-role = "`+s.anon+`"
db-channel-enabled = false
`)})
	if err != nil || len(warnings) > 0 || c.Relations != nil {
		t.Fatal(err, warnings, c.Relations)
	}
	c.ServerPort, c.AdminServerPort, c.AccessLog, c.Logger = s.config.ServerPort, s.config.AdminServerPort, "off", s.config.Logger
	s.config = c
	s.run()
	s.ready()
	s.get("/purchase?select=id,customer(id,purchase(id,customer(id)))&note=eq.n1").check(t, 200, "*", "Content-Range: 0-0/*")
	s.get("/purchase?select=id&note=like.*", "Prefer: count=exact").check(t, 200, "*", "Content-Range: 0-8/9")
	s.write("PATCH", "/purchase", `{"note": "x"}`).check(t, 204, "", "Content-Range: 0-8/*")
	s.write("DELETE", "/purchase", "").check(t, 204, "")
	if left := s.value("select count(*) from api.purchase"); left != "0" {
		t.Errorf("%s rows are left", left)
	}
}

func TestGuardOfRows(t *testing.T) {
	s := guardedShop(t, guards{"purchase": {MaxRows: new(2)}, "*": {MaxRows: new(5)}},
		func(c *slipstream.Config) { c.DBMaxRows, c.ResponseBuffer, c.DBAggregatesEnabled = 4, 1, true })
	s.get("/purchase?select=id&order=id").check(t, 200, "[{\"id\":1}, \n {\"id\":2}]", "Content-Range: 0-1/*")
	s.get("/purchase?select=id&order=id&limit=1&offset=3").check(t, 200, `[{"id":4}]`, "Content-Range: 3-3/*")
	s.get("/purchase?select=id&limit=100", "Prefer: count=exact").check(t, 206, "*", "Content-Range: 0-1/9")
	s.get("/purchase?select=id", "Range: 7-9", "Prefer: count=exact").check(t, 206, "*", "Content-Range: 7-8/9")
	s.get("/purchase?select=count()").check(t, 200, `[{"count":9}]`)
	// A stream says in its head how many rows will come.
	s.get("/purchase?select=id&order=id", "Accept: text/csv", "Prefer: count=exact").check(t, 206, "id\n1\n2", "Content-Range: 0-1/9")
	s.get("/purchase?select=id&order=id", "Accept: application/x-ndjson").check(t, 200, "{\"id\":1}\n{\"id\":2}\n")
	s.get("/customer?select=id,purchase(id)&id=eq.1&purchase.order=id&purchase.limit=3").check(t, 200, `[{"id":1,"purchase":[{"id": 3}, {"id": 6}]}]`)
	s.get("/customer?select=...purchase(id)&id=eq.1&purchase.order=id").check(t, 200, `[{"id":[3, 6]}]`)
	s.get("/purchase?select=id,customer(id)&id=eq.1").check(t, 200, `[{"id":1,"customer":{"id": 2}}]`)
	s.get("/free?select=id", "Prefer: count=exact").check(t, 206, "*", "Content-Range: 0-3/9") // db-max-rows is the smaller one
	s.write("PATCH", "/purchase?id=gt.0&select=id", `{"note": "x"}`, "Prefer: return=representation").check(t, 200, "*", "Content-Range: 0-8/*")
}

func TestGuardOfDepth(t *testing.T) {
	s := guardedShop(t, guards{"customer": {MaxEmbedDepth: new(1)}, "free": {MaxEmbedDepth: new(0)}})
	s.get("/customer?select=id,purchase(id)&id=eq.1").check(t, 200, "*")
	s.get("/customer?select=id,purchase(id,customer(id))").guarded(t, "max-embed-depth", "The request embeds to a depth of 2, and the limit is 1")
	s.get("/purchase?select=id,customer(id,purchase(id,customer(id)))&limit=1").check(t, 200, "*")
	s.write("PATCH", "/customer?id=eq.1&select=id,purchase(id,customer(id))", `{"name": "x"}`, "Prefer: return=representation").guarded(t, "max-embed-depth", "a depth of 2")
	if name := s.value("select name from api.customer where id = 1"); name != "c1" {
		t.Errorf("a refused write leaves %s", name)
	}
}

func TestGuardOfFilters(t *testing.T) {
	s := guardedShop(t, guards{"purchase": {IndexedFiltersOnly: new(true)}, "noted": {IndexedFiltersOnly: new(true)}})
	s.get("/purchase?select=id&id=eq.3").check(t, 200, `[{"id":3}]`)
	s.get("/purchase?select=id&customer=eq.1&placed=gt.2024-01-07").check(t, 200, "[{\"id\":9}]")
	s.get("/purchase?select=id&customer=eq.1&or=(id.lt.6,placed.gt.2024-01-07)&order=note").check(t, 200, "*", "Content-Range: 0-1/*")
	for _, path := range []string{
		"/purchase?note=eq.n1", "/purchase?id=eq.1&note=eq.n1", "/purchase?or=(id.eq.1,note.eq.n1)",
		"/purchase?not.and=(id.eq.1,not.or(note.eq.n1,id.eq.2))", "/customer?select=id,purchase(id)&purchase.note=eq.n1",
		"/customer?select=id,purchase!inner(id)&purchase.or=(id.eq.1,note.eq.n1)",
	} {
		s.get(path).guarded(t, "indexed-filters-only", `"hint":"Columns to filter by: customer, id","message":"'note' of 'purchase' cannot be filtered by`)
	}
	s.get("/purchase?placed=gt.2024-01-07").guarded(t, "indexed-filters-only", "'placed' of 'purchase'")
	s.write("PATCH", "/purchase?note=eq.n1", `{"note": "x"}`).guarded(t, "indexed-filters-only", "'note' of 'purchase'")
	s.write("DELETE", "/purchase?note=eq.n1", "").guarded(t, "indexed-filters-only", "'note' of 'purchase'")
	if n := s.value("select count(*) from api.purchase where note = 'n1'"); n != "1" {
		t.Errorf("a refused write leaves %s", n)
	}
	s.write("PUT", "/purchase?id=eq.1", `{"id": 1, "customer": 2, "note": "n1"}`).check(t, 204, "")

	// A view has the indexes of its table.
	s.get("/noted?select=number&number=eq.1").check(t, 200, `[{"number":1}]`)
	s.get("/noted?select=number&remark=eq.n1").guarded(t, "indexed-filters-only", "Columns to filter by: number")
	s.exec("create index on api.purchase (note)")
	s.reload()
	s.get("/noted?select=number&remark=eq.n1").check(t, 200, `[{"number":1}]`)
	s.get("/purchase?select=id&or=(id.eq.2,note.eq.n1)&order=id").check(t, 200, "[{\"id\":1}, \n {\"id\":2}]")
}

// What is too costly does not run at all: running it would fail. The estimate is that of the caller.
func TestGuardOfCost(t *testing.T) {
	s := serve(t, guardedSQL+`
		create function boom(int) returns int stable language plpgsql cost 1000000 as $$ begin raise 'it ran'; end $$;
		create view costly as select id, boom(id) as boom from purchase;
		create table secret (id int); revoke all on secret from ANON;
		create table document (id int primary key, owner text); insert into document select n, 'o' || n from generate_series(1, 3) n;
		grant select on document to ANON, MEMBER; alter table document enable row level security;
		create function slow_owner() returns text stable language plpgsql cost 1000000 as $$ begin return current_setting('request.jwt.claims')::json ->> 'sub'; end $$;
		create policy quick on document to ANON using (id = 1);
		create policy slow on document to MEMBER using (owner = slow_owner());`,
		func(c *slipstream.Config) {
			c.Relations, c.DBPlanEnabled = guards{"*": {MaxCost: new(2000)}, "free": {MaxCost: new(0)}}, true
		})
	s.get("/costly?select=id&id=eq.1").check(t, 200, `[{"id":1}]`)
	const message = "the planner estimates "
	s.get("/costly?select=id,boom").guarded(t, "max-cost", message)
	s.get("/costly?select=id,boom", "Accept: application/x-ndjson").guarded(t, "max-cost", message)
	s.get("/costly?select=id,boom", "Accept: text/csv", "Prefer: count=exact").guarded(t, "max-cost", message)
	s.get("/costly?select=id,boom", "Accept: application/vnd.pgrst.plan; options=analyze").guarded(t, "max-cost", message)
	s.get("/costly?select=id,boom", "Accept: application/vnd.pgrst.plan").check(t, 200, "*")
	s.send("HEAD", "/costly?boom=eq.1").check(t, 400, "")

	s.get("/secret").check(t, 401, "*")
	s.get("/document?select=id").check(t, 200, `[{"id":1}]`)
	s.get("/document?select=id", s.bearer(`"sub": "o2"`)).guarded(t, "max-cost", message)

	without := s.config
	without.Relations = nil
	if err := s.ReloadConfig(t.Context(), without); err != nil {
		t.Fatal(err)
	}
	s.get("/costly?select=id,boom").check(t, 400, `{"code":"P0001","details":null,"hint":null,"message":"it ran"}`)
	s.get("/document?select=id", s.bearer(`"sub": "o2"`)).check(t, 200, `[{"id":2}]`)
}

func TestGuardOfTime(t *testing.T) {
	s := serve(t, `create view clock as select current_setting('statement_timeout') as limit;
		create view wall as select current_setting('statement_timeout') as limit;
		create table event (id int primary key, allowed text default current_setting('statement_timeout'));
		create table plain (id int primary key, allowed text default current_setting('statement_timeout'), zone text default current_setting('timezone'));
		alter role MEMBER set statement_timeout = '7s'; alter role LOGIN set timezone = 'UTC';`+grantSQL,
		func(c *slipstream.Config) {
			c.Relations = guards{"clock": {StatementTimeout: new(1500 * time.Millisecond)}, "event": {StatementTimeout: new(20 * time.Second)}}
		})
	s.get("/clock").check(t, 200, `[{"limit":"1500ms"}]`)
	s.get("/clock", "Accept: text/csv").check(t, 200, "limit\n1500ms")
	s.get("/clock", s.bearer()).check(t, 200, `[{"limit":"1500ms"}]`) // the guard goes before the role's
	s.get("/wall", s.bearer()).check(t, 200, `[{"limit":"7s"}]`)
	s.get("/wall").check(t, 200, `[{"limit":"0"}]`)
	s.write("POST", "/event?select=allowed", `{"id": 1}`, "Prefer: return=representation").check(t, 201, `[{"allowed":"20s"}]`)
	// What holds for an operation of a batch does not for the next.
	_, results := s.batch(t, `{"operations": [{"method": "POST", "path": "/event", "headers": {"Prefer": "timezone=Europe/Paris"}, "body": {"id": 2}},
		{"method": "GET", "path": "/wall"}, {"method": "POST", "path": "/plain?select=allowed,zone", "headers": {"Prefer": "return=representation"}, "body": {"id": 3}}]}`)
	if got := statuses(results); got != "201 200 201" || string(results[1].Body) != `[{"limit":"0"}]` || string(results[2].Body) != `[{"allowed":"0","zone":"UTC"}]` {
		t.Errorf("%s %s %s", got, results[1].Body, results[2].Body)
	}
}

// Guards can be changed while the server runs. One of a relation that is not there is a mistake, but no reason to stop.
func TestGuardsReloaded(t *testing.T) {
	var log journal
	s := serve(t, guardedSQL, func(c *slipstream.Config) { c.Logger = log.logger() })
	s.get("/purchase?select=id,customer(id)&note=eq.n1&limit=1").check(t, 200, "*")
	s.write("PATCH", "/purchase", `{"note": "x"}`).check(t, 204, "")
	with := s.config
	with.Relations = guards{"*": {MaxEmbedDepth: new(0)}, "api.purchase": {IndexedFiltersOnly: new(true)}, "api.purchases": {}}
	if err := s.ReloadConfig(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	s.get("/purchase?select=id,customer(id)&limit=1").guarded(t, "max-embed-depth", "a depth of 1")
	s.get("/purchase?select=id&note=eq.n1").guarded(t, "indexed-filters-only", "'note' of 'purchase'")
	s.get("/free?select=id&note=is.null&limit=1").check(t, 200, `[{"id":1}]`)
	s.write("DELETE", "/free", "").guarded(t, "full-table-writes", "DELETE of all rows of 'free'")
	if !log.has("relation=api.purchases") || log.has("relation=api.purchase\n") || log.has("relation=*") {
		t.Error("the relation that is not there is not logged, or another is")
	}
	with.Relations = guards{"purchase": {MaxRows: new(-1)}}
	if err := s.ReloadConfig(t.Context(), with); err == nil || err.Error() != "relations: purchase: max-rows: -1 is too small; write at least 0" {
		t.Error(err)
	}
	s.get("/purchase?select=id&note=eq.n1").guarded(t, "indexed-filters-only", "'note' of 'purchase'")
}

// An operation of a batch is guarded like a request, and takes the whole batch with it.
func TestGuardsInBatch(t *testing.T) {
	s := guardedShop(t, guards{"purchase": {}, "customer": {MaxCost: new(1)}, "free": {MaxCost: new(100000), FullTableWrites: new(true)}})
	for _, second := range []string{`{"method": "DELETE", "path": "/purchase"}`, `{"method": "GET", "path": "/customer?select=id,purchase(id)"}`} {
		_, results := s.batch(t, `{"operations": [{"method": "DELETE", "path": "/free"}, `+second+`]}`)
		if got := statuses(results); got != "424 400" || !strings.Contains(string(results[1].Body), `"SLIP110"`) {
			t.Errorf("%s: %s %v", second, got, results)
		}
		if left := s.value("select count(*) from api.free"); left != "9" {
			t.Errorf("%s: %s rows are left", second, left)
		}
	}
	_, results := s.batch(t, `{"operations": [{"method": "GET", "path": "/free?select=id&id=eq.1"}, {"method": "DELETE", "path": "/purchase?id=eq.1"}]}`)
	if got := statuses(results); got != "200 204" {
		t.Errorf("%s %v", got, results)
	}
}
