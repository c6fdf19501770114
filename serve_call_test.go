package slipstream_test

import (
	"testing"

	"github.com/slipstream-go/slipstream"
)

const callSQL = shopSQL + `
	create type spot as (x int, y int);
	create function add(a int, b int default 10) returns int language sql immutable as 'select a + b';
	create function over(a int) returns text language sql immutable as $$ select 'one ' || a $$;
	create function over(a int, b int) returns text language sql immutable as $$ select 'two ' || a + b $$;
	create function twice(a int) returns int language sql immutable as 'select a';
	create function twice(a text) returns text language sql immutable as 'select a';
	create function total(variadic n int[] default '{}') returns int language sql immutable as 'select coalesce(sum(x), 0)::int from unnest(n) x';
	create function of_json(json) returns json language sql immutable as 'select $1';
	create function of_jsonb(jsonb) returns jsonb language sql immutable as 'select $1';
	create function of_xml(xml) returns xml language sql immutable as 'select $1';
	create function of_bytea(bytea) returns text language sql immutable as $$ select encode($1, 'hex') $$;
	create domain "text/plain" as text;
	create function of_text(text) returns "text/plain" language sql immutable as $$ select $1::api."text/plain" $$;
	create function nothing() returns void language sql volatile as '';
	create function "null"() returns int language sql volatile as 'select null::int';
	create function list() returns int[] language sql volatile as $$ select '{1,2}'::int[] $$;
	create function origin() returns spot language sql volatile as 'select row(1, 2)::api.spot';
	create function outs(a int, out b int, out c text) language sql volatile as $$ select a, 'c' $$;
	create function next_of(inout a int) language sql volatile as 'select a + 1';
	create function counted() returns setof int language sql volatile as 'select generate_series(1, 5)';
	create function tabled() returns table (a int, b text) language sql volatile as $$ values (1, 'x'), (2, 'y') $$;
	create function cheapest(most numeric) returns setof item rows 10 language sql volatile as 'select * from api.item where price <= most';
	create function rename(id int, name text) returns setof item language sql volatile as 'update api.item i set name = rename.name where i.id = rename.id returning *';
	create function rename_stable(id int, name text) returns setof item language plpgsql stable as $$ begin
		return query update api.item i set name = rename_stable.name where i.id = rename_stable.id returning *; end $$;
	create function mode() returns text language sql volatile as $$ select current_setting('transaction_read_only') $$;
	create function mode_stable() returns text language sql stable as $$ select current_setting('transaction_read_only') $$;
	create function level() returns text language sql volatile set default_transaction_isolation to 'serializable' as $$ select current_setting('transaction_isolation') $$;
	create function fail(code text) returns int language plpgsql volatile as $$ begin
		insert into api.heap values (9); raise using errcode = code, message = 'm', detail = 'd', hint = 'h'; end $$;
	create function answer(headers text, status text) returns text language plpgsql volatile as $$ begin
		insert into api.heap values (9);
		perform set_config('response.headers', headers, true), set_config('response.status', status, true);
		return 'done'; end $$;
	create function answers(headers text) returns setof heap language plpgsql volatile as $$ begin
		perform set_config('response.headers', headers, true); return query insert into api.heap values (9, 'z') returning *; end $$;
`

const lookHeap = `select string_agg(concat_ws('|', a, b), ' ' order by a) from api.heap`

func TestCallByPost(t *testing.T) {
	const (
		form  = "Content-Type: application/x-www-form-urlencoded"
		plain = "Content-Type: text/plain"
	)
	s := serve(t, callSQL)
	s.exec("set search_path to api;" + shopReset)
	for _, c := range []struct {
		path, body string
		send       []string
		status     int
		answer     string
		headers    []string
	}{
		{"/rpc/add", `{"a": 1}`, nil, 200, "11", []string{acceptAny, "Content-Length: 2", "Content-Range: 0-0/*", "Content-Location:", "Vary: Accept, Prefer, Range"}},
		{"/rpc/add", `{"a": 1, "b": "2"}`, []string{"Prefer: count=exact"}, 200, "3", []string{"Content-Range: 0-0/1", "Preference-Applied: count=exact"}},
		{"/rpc/add", `[{"a": 1, "b": 2}, {"a": 100, "b": 2}]`, nil, 200, "3", nil},
		{"/rpc/add?columns=a", `{"a": 1, "b": 2, "c": 3}`, nil, 200, "11", nil},
		{"/rpc/add", `a=1&b=2&a=3`, []string{form}, 200, "5", nil},
		{"/rpc/add", "a,b\n1,2", []string{"Content-Type: text/csv"}, 200, "3", nil},
		{"/rpc/add", `{"a": "x"}`, nil, 400, "*", []string{"Proxy-Status: PostgREST; error=22P02"}},
		{"/rpc/add", `{"b": 1}`, nil, 404, "*", []string{"Proxy-Status: PostgREST; error=PGRST202"}},
		{"/rpc/add", `{"a": 1`, nil, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST102"}},
		{"/rpc/add", `1`, []string{plain}, 404, "*", nil},
		{"/rpc/add", `1`, []string{"Content-Type: image/png"}, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST102"}},
		{"/rpc/over", `{"a": 1}`, nil, 200, `"one 1"`, nil},
		{"/rpc/over", `{"a": 1, "b": 2}`, nil, 200, `"two 3"`, nil},
		{"/rpc/twice", `{"a": 1}`, nil, 300, "*", []string{"Proxy-Status: PostgREST; error=PGRST203"}},
		{"/rpc/total", `{"n": [1, 2]}`, nil, 200, "3", nil},
		{"/rpc/total", `n=1&n=2`, []string{form}, 200, "3", nil},
		{"/rpc/total", ``, []string{form}, 200, "0", nil},
		{"/rpc/total", ``, nil, 200, "0", nil},
		{"/rpc/of_json", `{"a":  [1]}`, nil, 200, `{"a":  [1]}`, nil},
		{"/rpc/of_jsonb", `{"b":1, "a":  [1]}`, nil, 200, `{"a": [1], "b": 1}`, nil},
		{"/rpc/of_text", "a \"b\"\n", []string{plain, "Accept: text/plain"}, 200, "a \"b\"\n", []string{"Content-Type: text/plain; charset=utf-8"}},
		{"/rpc/of_text", "", []string{plain, "Accept: text/plain"}, 200, "", []string{"Content-Length: 0"}},
		{"/rpc/of_xml", "<a/>", []string{"Content-Type: text/xml"}, 200, `"<a/>"`, nil},
		{"/rpc/of_bytea", "\x00\xff\n", []string{"Content-Type: application/octet-stream"}, 200, `"00ff0a"`, nil},
		{"/rpc/of_text", "a\x00b", []string{plain}, 400, "*", []string{"Proxy-Status: PostgREST; error=22021"}},
		{"/rpc/of_text", "a\xffb", []string{plain}, 400, "*", []string{"Proxy-Status: PostgREST; error=22021"}},

		{"/rpc/nothing", `{}`, nil, 204, "", []string{"Content-Type:", "Content-Length:"}},
		{"/rpc/null", ``, nil, 200, "null", nil},
		{"/rpc/list", ``, nil, 200, "[1,2]", nil},
		{"/rpc/origin", ``, nil, 200, `{"x":1,"y":2}`, nil},
		{"/rpc/origin?select=y", ``, nil, 200, `{"y":2}`, nil},
		{"/rpc/outs", `{"a": 1}`, nil, 200, `{"b":1,"c":"c"}`, nil},
		{"/rpc/next_of", `{"a": 1}`, nil, 200, `{"a":2}`, nil},
		{"/rpc/counted", ``, nil, 200, `[1, 2, 3, 4, 5]`, []string{"Content-Range: 0-4/*"}},
		{"/rpc/counted?limit=2&offset=1", ``, []string{"Prefer: count=exact"}, 206, `[2, 3]`, []string{"Content-Range: 1-2/5"}},
		{"/rpc/counted", ``, []string{"Range: 1-2", "Range-Unit: items"}, 200, `[1, 2, 3, 4, 5]`, nil},
		{"/rpc/counted?offset=9", ``, []string{"Prefer: count=exact"}, 416, "*", []string{"Content-Range: */5"}},
		{"/rpc/tabled?b=eq.y&select=a", ``, nil, 200, `[{"a":2}]`, nil},
		{"/rpc/tabled?order=a.desc", ``, []string{acceptCSV}, 200, "a,b\n2,y\n1,x", []string{"Content-Type: text/csv; charset=utf-8"}},
		{"/rpc/tabled", ``, []string{acceptNDJSON}, 200, "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n", nil},
		{"/rpc/tabled", ``, []string{singular}, 406, "*", []string{"Proxy-Status: PostgREST; error=PGRST116"}},
		{"/rpc/cheapest?select=name,maker(name),loud&order=price.desc&name=neq.x&limit=1", `{"most": 2}`, []string{"Prefer: count=exact"}, 206,
			`[{"name":"bolt","loud":"BOLT","maker":{"name": "Bolt"}}]`, []string{"Content-Range: 0-0/2"}},
		{"/rpc/cheapest?select=id", `{"most": 0}`, nil, 200, "[]", []string{"Content-Range: */*"}},

		{"/rpc/mode", ``, nil, 200, `"off"`, nil},
		{"/rpc/mode_stable", ``, nil, 200, `"on"`, nil},
		{"/rpc/level", ``, nil, 200, `"serializable"`, nil},
		{"/rpc/rename_stable", `{"id": 1, "name": "x"}`, nil, 400, "*", []string{"Proxy-Status: PostgREST; error=0A000"}},
		{"/rpc/nope", `{}`, nil, 404, "*", []string{"Proxy-Status: PostgREST; error=PGRST202"}},
	} {
		t.Run(c.path+" "+c.body, func(t *testing.T) {
			s.write("POST", c.path, c.body, c.send...).check(t, c.status, c.answer, c.headers...)
		})
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		s.write(method, "/rpc/add", `{"a": 1}`).check(t, 405, "*", "Proxy-Status: PostgREST; error=PGRST101")
	}
	s.get("/rpc/rename?id=1&name=x").check(t, 405, "*", "Proxy-Status: PostgREST; error=25006")
}

func TestCallsThatWrite(t *testing.T) {
	s := serve(t, callSQL)
	const renamed = "1|screw|1.5|2 2|nut|1|2 3|washer"
	s.writings(t, shopReset, lookItems, []writing{
		{"POST /rpc/rename?select=id,name", nil, `{"id": 1, "name": "screw"}`, 200, `[{"id":1,"name":"screw"}]`, nil, renamed},
		{"POST /rpc/rename?select=id,maker(name)", []string{singular}, `{"id": 1, "name": "screw"}`, 200, `{"id":1,"maker":{"name": "Bolt"}}`, nil, renamed},
		{"POST /rpc/rename?select=id", []string{acceptCSV}, `{"id": 1, "name": "screw"}`, 200, "id\n1", nil, renamed},
		{"POST /rpc/rename", []string{singular}, `{"id": 9, "name": "screw"}`, 406, "*", nil, ""},
		{"POST /rpc/rename?select=nope", nil, `{"id": 1, "name": "screw"}`, 400, "*", nil, ""},
		{"POST /rpc/rename", nil, `{"id": 1, "name": "nut"}`, 409, "*", []string{"Proxy-Status: PostgREST; error=23505"}, ""},
		{"POST /rpc/rename?offset=2", []string{"Prefer: count=exact"}, `{"id": 1, "name": "screw"}`, 416, "*", nil, ""},
		{"GET /rpc/rename?id=1&name=screw", nil, ``, 405, "*", nil, ""},
	})
	s.writings(t, shopReset, lookHeap, []writing{
		{"POST /rpc/fail", nil, `{"code": "P0001"}`, 400, `{"code":"P0001","details":"d","hint":"h","message":"m"}`, nil, ""},
		{"POST /rpc/fail", nil, `{"code": "PT402"}`, 402, "*", nil, ""},
		{"POST /rpc/fail", nil, `{"code": "42P01"}`, 404, "*", nil, ""},
		{"POST /rpc/fail", nil, `{"code": "XX000"}`, 500, "*", nil, ""},
		{"POST /rpc/answer", nil, `{"headers": "[{\"X-A\": \"1\"}, {\"x-a\": \"2\"}]", "status": "201"}`, 201, `"done"`, []string{"X-A: 1 | 2"}, "1|x 9"},
		{"POST /rpc/answer", nil, `{"headers": "", "status": "403"}`, 403, `"done"`, nil, "1|x 9"}, // the function's own choice
		{"POST /rpc/answer", nil, `{"headers": "", "status": "204"}`, 204, "", []string{"Content-Type:"}, "1|x 9"},
		{"POST /rpc/answer", nil, `{"headers": "{}", "status": ""}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST111"}, ""},
		{"POST /rpc/answer", nil, `{"headers": "[{\"A\\r\\nB\": \"1\"}]", "status": ""}`, 500, "*", []string{"B:"}, ""},
		{"POST /rpc/answer", nil, `{"headers": "", "status": "x"}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST112"}, ""},
		{"POST /rpc/answers", []string{acceptCSV}, `{"headers": "[{\"X-A\": \"1\"}]"}`, 200, "a,b\n9,z", []string{"X-A: 1"}, "1|x 9|z"},
		{"POST /rpc/answers", []string{acceptNDJSON}, `{"headers": "x"}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST111"}, ""},
	})
}

// A function whose result does not fit the response buffer is held all the same, until it is committed.
func TestAnswersOfCallsAreHeld(t *testing.T) {
	s := serve(t, `
		create table late (id int unique deferrable initially deferred);
		create function many(fail boolean) returns table (n int, t text) language plpgsql volatile as $$ begin
			insert into api.late values (1);
			if fail then insert into api.late values (1); end if;
			return query select x, repeat('x', 100) from generate_series(1, 1000) x; end $$;`+grantSQL, smallBuffer)
	for _, accept := range []string{acceptCSV, acceptNDJSON, "Accept: application/json"} {
		s.write("POST", "/rpc/many", `{"fail": true}`, accept).check(t, 409, "*", "Proxy-Status: PostgREST; error=23505", "Content-Type: application/json; charset=utf-8")
		a := s.write("POST", "/rpc/many", `{"fail": false}`, accept)
		if a.check(t, 200, "*"); len(a.body) < 100_000 || a.Header.Get("Content-Length") == "" {
			t.Errorf("%d bytes, %v", len(a.body), a.Header)
		}
		s.exec("truncate api.late")
	}
}

func TestCallsSeeTheRequest(t *testing.T) {
	s := serve(t, `create function setting(name text) returns text language sql volatile as $$ select current_setting(name, true) $$;
		create function who() returns text language sql volatile as 'select current_user::text';
		create function pre() returns void language sql as $$ select set_config('my.pre', current_setting('request.method'), true) $$;`,
		func(c *slipstream.Config) { c.DBPreRequest = "api.pre" })
	for name, want := range map[string]string{"request.method": `"POST"`, "request.path": `"/rpc/setting"`, "my.pre": `"POST"`, "search_path": `"\"api\", \"public\""`} {
		s.write("POST", "/rpc/setting", `{"name": "`+name+`"}`).check(t, 200, want)
	}
	s.write("POST", "/rpc/who", ``).check(t, 200, `"`+s.anon+`"`)
	s.write("POST", "/rpc/who", ``, s.bearer()).check(t, 200, `"`+s.member+`"`)
}
