package slipstream_test

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream"
)

const (
	stripped  = "Accept: application/vnd.pgrst.object+json;nulls=stripped"
	unmatched = "Proxy-Status: PostgREST; error=SLIP108"
	unusable  = "Proxy-Status: PostgREST; error=SLIP115"
	stale     = `If-Match: "0123456789abcdef0123456789abcdef"`
)

// etag is the ETag of an object with this text.
func etag(object string) string {
	return fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256([]byte(object)))[:32])
}

// tagOf is the ETag that a GET of one row gives.
func (s *site) tagOf(t *testing.T, path string, headers ...string) string {
	t.Helper()
	a := s.get(path, append([]string{singular}, headers...)...)
	tag := a.Header.Get("ETag")
	if a.StatusCode != 200 || tag != etag(a.body) {
		t.Fatalf("GET %s: %d, ETag %s, %s", path, a.StatusCode, tag, a.body)
	}
	return tag
}

func TestETag(t *testing.T) {
	s := serve(t, shopSQL)
	s.exec("set search_path to api, public;" + shopReset)
	row := "/item?id=eq.1&select=id,name"
	tag := s.tagOf(t, row)
	if again := s.tagOf(t, row); again != tag {
		t.Errorf("%s, then %s", tag, again)
	}
	has := "ETag: " + tag
	s.send("HEAD", row, singular).check(t, 200, "", has, "Content-Range: 0-0/*")
	s.get(row, stripped).check(t, 200, `{"id":1,"name":"bolt"}`, has)
	s.get("/item?id=eq.3&select=id,price", stripped).check(t, 200, `{"id":3}`, "ETag: "+etag(`{"id":3}`))
	s.get("/item?id=eq.1&select=id,maker(name)", singular).check(t, 200, "*", "ETag: "+etag(`{"id":1,"maker":{"name": "Bolt"}}`))
	s.get("/item?limit=1&order=id&select=id,name", singular, "Prefer: count=exact").check(t, 206, "*", has)

	for _, list := range [][]string{nil, {acceptCSV}, {acceptNDJSON}, {"Accept: application/vnd.pgrst.array+json;nulls=stripped"}} {
		s.get(row, list...).check(t, 200, "*", "ETag:")
	}
	s.get("/item", singular).check(t, 406, "*", "ETag:")
	s.exec("update api.item set name = 'screw' where id = 1")
	if s.tagOf(t, row) == tag {
		t.Error("the row has changed, the ETag has not")
	}
}

func TestETagOfWrites(t *testing.T) {
	s := serve(t, shopSQL, func(c *slipstream.Config) { c.DBTxEnd = "commit-allow-override" })
	shown, cog := []string{representation, singular}, etag(`{"id":9,"name":"Cog"}`)
	s.write("POST", "/maker", `{"id": 9, "name": "Cog"}`, shown...).check(t, 201, "*", "ETag: "+cog)
	s.write("PUT", "/maker?id=eq.9", `{"id": 9, "name": "Cog"}`, shown...).check(t, 200, "*", "ETag: "+cog)
	s.write("PATCH", "/maker?id=eq.9", `{"name": "Cog"}`, shown...).check(t, 200, "*", "ETag: "+cog)
	if got := s.tagOf(t, "/maker?id=eq.9"); got != cog {
		t.Errorf("GET gives %s, the writes gave %s", got, cog)
	}
	s.write("PATCH", "/maker?id=eq.9", `{"name": "x"}`, representation).check(t, 200, "*", "ETag:")
	s.write("PATCH", "/maker?id=eq.9", `{"name": "x"}`, singular).check(t, 204, "", "ETag:")
	s.write("PATCH", "/maker?id=eq.9", `{"name": "y"}`, append(shown, "Prefer: tx=rollback")...).check(t, 200, "*", "ETag:")
	s.write("DELETE", "/maker?id=eq.9", "", shown...).check(t, 200, "*", "ETag:")
}

func TestConditionalReads(t *testing.T) {
	s := serve(t, shopSQL+`create function echo() returns json language sql as $$ select current_setting('request.headers')::json->'if-match' $$;`)
	s.exec("set search_path to api, public;" + shopReset)
	row := "/item?id=eq.1"
	tag := s.tagOf(t, row)
	none, match := "If-None-Match: ", "If-Match: "
	unchanged := []string{"ETag: " + tag, "Vary: Accept, Prefer, Range", "Content-Location: " + row, "Content-Type:", "Content-Range:", "Content-Length:"}
	for _, value := range []string{tag, "W/" + tag, `"a", ` + tag, "*"} {
		s.get(row, singular, none+value).check(t, 304, "", unchanged...)
		s.send("HEAD", row, singular, none+value).check(t, 304, "", unchanged...)
	}
	for _, value := range []string{`"a"`, etag("x"), `W/"a"`} {
		s.get(row, singular, none+value).check(t, 200, "*", "ETag: "+tag)
		s.get(row, singular, match+value).check(t, 412, "*", unmatched, "ETag:", "Content-Range:")
		s.send("HEAD", row, singular, match+value).check(t, 412, "", unmatched)
	}
	s.get(row, singular, match+"W/"+tag).check(t, 412,
		`{"code":"SLIP108","details":"Weak tags never match. What compresses answers on their way may have put the W/ there.",`+
			`"hint":"Get the row again, as one object and with the same select=, and send its ETag.","message":"The row is not as If-Match says"}`)
	s.get(row, singular, match+`"a", `+tag).check(t, 200, "*")
	s.get(row, singular, match+"*").check(t, 200, "*")
	s.get(row, singular, match+tag, none+tag).check(t, 304, "")
	s.get(row, singular, match+`"a"`, none+tag).check(t, 412, "*")

	s.get(row, none+tag).check(t, 200, "*") // a list has no tag that could match
	s.get(row, match+"*").check(t, 200, "*")
	s.get(row, match+tag).check(t, 400,
		`{"code":"SLIP115","details":null,"hint":"Send Accept: application/vnd.pgrst.object+json; lists have no ETag.","message":"If-Match needs an answer of one row"}`)
	s.get("/item?id=eq.99", singular, match+"*").check(t, 406, "*")
	s.get(row, singular, none+"a").check(t, 400, "*", unusable)
	s.get("/rpc/echo", match+"mine").check(t, 200, `"mine"`) // functions have conditions of their own
}

// What a function sets as ETag and status stays as it is.
func TestETagOfAFunction(t *testing.T) {
	s := serve(t, `create table item (id int primary key); insert into item values (1), (2);
		create function mark() returns void language plpgsql as $$ begin
			perform set_config('response.headers', '[{"ETag": "W/\"v1\""}]', true);
			if current_setting('request.headers')::json->>'x-status' is not null then
				perform set_config('response.status', current_setting('request.headers')::json->>'x-status', true);
			end if;
		end $$;`, func(c *slipstream.Config) { c.DBPreRequest = "api.mark" })
	const row = "/item?id=eq.1"
	s.get(row, singular).check(t, 200, `{"id":1}`, `ETag: W/"v1"`)
	s.get("/item", `If-None-Match: "v1"`).check(t, 200, "*", `ETag: W/"v1"`)
	s.get(row, singular, `If-None-Match: "v1"`).check(t, 304, "", `ETag: W/"v1"`)
	s.get(row, singular, `If-Match: W/"v1"`).check(t, 412, "*")
	s.get(row, singular, "If-None-Match: *", "X-Status: 299").check(t, 299, `{"id":1}`)
}

const typesSQL = `
	create domain colour as int;
	create function colour_json(colour) returns json immutable language sql as $$ select to_json('#' || lpad(to_hex($1::int), 6, '0')) $$;
	set client_min_messages to error;
	create cast (colour as json) with function colour_json(colour) as implicit;
	create type pair as (a int, "b c" text);
	create table thing (
		id int primary key, n int, name text, "odd, ""näme""" text, num numeric, f float8, r real, at timestamptz, local timestamp, day date, span interval,
		j json, jb jsonb, tags text[], raw bytea, p pair, ps pair[], c colour, u uuid, range int4range, m money, b bit(3), inet inet, t time with time zone);
	insert into thing values (
		1, 0, E'a "quote", a \\ and \n é 😀 \u0001', 'x', 1.10, 0.1, 1e-7, '2024-02-29 12:00:00.123456+02', '2024-02-29 12:00', '0044-03-15 BC', '1 mon 2 days',
		'{"b" : 1,  "a":[1, 2 ]}', '{"b": 1, "a": [1, 2]}', '{"a,b",NULL,"c\"d"}', '\xdeadbeef', row(1, 'x y'), array[row(1, null)::pair], 255, gen_random_uuid(), '[1,5)',
		12.5, '101', '::1/128', '12:00+03');
	insert into thing (id, n, num, f) values (2, 0, 'NaN', 'Infinity');
	create view thing_view as select id, n, name, at, c, jb, num * 2 as twice from thing where id < 100;
	create function shout(thing) returns text immutable language sql as $$ select upper($1.name) $$;
` + grantSQL

// Whatever the types of the columns and whatever is selected: the ETag of a GET is that of the write.
func TestIfMatchOnAllTypes(t *testing.T) {
	s := serve(t, typesSQL)
	for _, path := range []string{
		"/thing?id=eq.1", "/thing?id=eq.2", "/thing?id=eq.1&select=name,id", "/thing?id=eq.1&select=*,again:id", "/thing?id=eq.1&select=id,shout,c,colour:c",
		"/thing?id=eq.1&select=j,j->a->0,jb->>a,pa:p->a,x:num::text", "/thing?id=eq.1&select=at,day,span,f,r,num", "/thing?id=eq.1&select=",
		"/thing_view?id=eq.1", "/thing_view?id=eq.2&select=twice,name", "/thing?order=id&limit=1", "/thing?or=(id.eq.1,id.eq.99)",
	} {
		for _, accept := range []string{singular, stripped} {
			for _, more := range []string{"Prefer: return=minimal", "Prefer: timezone=Asia/Tokyo"} {
				t.Run(path+" "+accept+" "+more, func(t *testing.T) {
					read := s.get(path, accept, more)
					tag := read.Header.Get("ETag")
					if read.StatusCode != 200 || tag == "" {
						t.Fatalf("%d %s", read.StatusCode, read.body)
					}
					s.write("PATCH", path, `{"n": 1}`, accept, more, stale).check(t, 412, "*", unmatched)
					s.write("PATCH", path, `{"n": 0}`, accept, more, "If-Match: "+tag).check(t, 204, "")
				})
			}
		}
	}
}

func TestIfMatch(t *testing.T) {
	bolt, nut := etag(`{"id":1,"name":"bolt","price":1.5,"maker_id":2,"note":"none"}`), etag(`{"id":2,"name":"nut"}`)
	const gone = `{"code":"SLIP108","details":"There is no such row.","hint":"Get the row again, as one object and with the same select=, and send its ETag.","message":"The row is not as If-Match says"}`
	const priced = "1|bolt|7|2 2|nut|1|2 3|washer"
	s := serve(t, shopSQL)
	s.writings(t, shopReset, lookItems, []writing{
		{"PATCH /item?id=eq.1", []string{"If-Match: " + bolt}, `{"price": 7}`, 204, "", []string{"ETag:", "Content-Range: 0-0/*"}, priced},
		{"PATCH /item?id=eq.1", []string{`If-Match: "x", "y"`, "If-Match: " + bolt}, `{"price": 7}`, 204, "", nil, priced},
		{"PATCH /item?id=eq.1", []string{"If-Match: " + bolt, representation, singular}, `{"price": 7}`, 200, "*",
			[]string{"ETag: " + etag(`{"id":1,"name":"bolt","price":7,"maker_id":2,"note":"none"}`)}, priced},
		{"PATCH /item?id=eq.2&select=id,name", []string{"If-Match: " + nut, representation}, `{"price": 7}`, 200, `[{"id":2,"name":"nut"}]`, []string{"ETag:"}, "1|bolt|1.5|2 2|nut|7|2 3|washer"},
		{"PATCH /item?id=eq.1", []string{stale}, `{"price": 7}`, 412,
			`{"code":"SLIP108","details":"The row may not be written, or the ETag is that of another state of the row or of another select=.",` +
				`"hint":"Get the row again, as one object and with the same select=, and send its ETag.","message":"The row is not as If-Match says"}`, []string{unmatched, "Content-Range:"}, ""},
		{"PATCH /item?id=eq.1", []string{stale, representation, singular}, `{"price": 7}`, 412, "*", []string{unmatched}, ""},
		{"PATCH /item?id=eq.1", []string{"If-Match: W/" + bolt}, `{"price": 7}`, 412, "*", []string{unmatched}, ""},
		{"PATCH /item?id=eq.2", []string{"If-Match: " + nut}, `{"price": 7}`, 412, "*", []string{unmatched}, ""}, // the tag of another select
		{"PATCH /item?id=eq.9", []string{stale}, `{"price": 7}`, 412, gone, nil, ""},
		{"PATCH /item?id=eq.9", []string{"If-Match: *"}, `{"price": 7}`, 412, gone, nil, ""},
		{"PATCH /item?id=eq.1", []string{"If-Match: *"}, `{"price": 7}`, 204, "", nil, priced},
		{"PATCH /item?maker_id=eq.2", []string{"If-Match: " + bolt}, `{"price": 7}`, 400,
			`{"code":"SLIP115","details":null,"hint":"Choose one row by its primary key.","message":"If-Match is for one row, and the URL chooses several"}`, []string{unusable}, ""},
		{"PATCH /item?id=eq.1&select=*,maker(name)", []string{"If-Match: " + bolt}, `{"price": 7}`, 400, "*", []string{unusable}, ""},
		{"PATCH /item?id=eq.1", []string{"If-Match: x"}, `{"price": 7}`, 400,
			`{"code":"SLIP115","details":"An entity tag was expected, not \"x\"","hint":"Send * alone, or ETags as they were given, in double quotes and separated by commas.","message":"If-Match cannot be read at character 1"}`, nil, ""},
		{"PATCH /item?id=eq.1", []string{"If-None-Match: *"}, `{"price": 7}`, 400, "*", []string{unusable}, ""},
		{"PATCH /item?id=eq.1", []string{"If-Match: " + bolt}, `{}`, 400, "*", []string{unusable}, ""},
		{"PATCH /named?id=eq.1", []string{"If-Match: " + etag(`{"id":1,"name":"bolt","maker":"Bolt"}`)}, `{"name": "screw"}`, 204, "", nil, "1|screw|1.5|2 2|nut|1|2 3|washer"},
		{"PATCH /named?id=eq.1", []string{stale}, `{"name": "screw"}`, 412, "*", []string{unmatched}, ""},
		{"POST /item", []string{stale}, `{"id": 7, "name": "x"}`, 400, "*", []string{unusable}, ""},
		{"DELETE /item?id=eq.1", []string{"If-Match: " + bolt}, "", 204, "", nil, "2|nut|1|2 3|washer"},
		{"DELETE /item?id=eq.1", []string{stale}, "", 412, "*", []string{unmatched}, ""},
		{"DELETE /item?id=eq.9", []string{stale}, "", 412, gone, nil, ""},
		{"DELETE /item", []string{"If-Match: " + bolt}, "", 400, "*", []string{unusable}, ""},
	})
}

func TestConditionalPut(t *testing.T) {
	acme := etag(`{"id":1,"name":"Acme"}`)
	const only = "If-None-Match: *"
	s := serve(t, shopSQL)
	s.writings(t, shopReset, `select string_agg(concat_ws('|', id, name), ' ' order by id) from api.maker`, []writing{
		{"PUT /maker?id=eq.1", []string{"If-Match: " + acme}, `{"id": 1, "name": "Cog"}`, 204, "", nil, "1|Cog 2|Bolt"},
		{"PUT /maker?id=eq.1", []string{"If-Match: " + acme, representation, singular}, `{"id": 1, "name": "Cog"}`, 200, `{"id":1,"name":"Cog"}`, []string{"ETag: " + etag(`{"id":1,"name":"Cog"}`)}, "1|Cog 2|Bolt"},
		{"PUT /maker?id=eq.1", []string{stale}, `{"id": 1, "name": "Cog"}`, 412, "*", []string{unmatched}, ""},
		{"PUT /maker?id=eq.3", []string{stale}, `{"id": 3, "name": "Cog"}`, 412, "*", []string{unmatched}, ""},
		{"PUT /maker?id=eq.3", []string{stale}, `{"id": 3, "name": null}`, 412, "*", []string{unmatched}, ""}, // not refused for what it never inserts
		{"PUT /maker?id=eq.3", []string{"If-Match: *"}, `{"id": 3, "name": "Cog"}`, 412, "*", []string{unmatched}, ""},
		{"PUT /maker?id=eq.1", []string{"If-Match: *"}, `{"id": 1, "name": "Cog"}`, 204, "", nil, "1|Cog 2|Bolt"},
		{"PUT /maker?id=eq.1", []string{"If-Match: " + acme}, `{"id": 2, "name": "Cog"}`, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST115"}, ""},
		{"PUT /maker?id=eq.3", []string{only}, `{"id": 3, "name": "Cog"}`, 204, "", nil, "1|Acme 2|Bolt 3|Cog"},
		{"PUT /maker?id=eq.3", []string{only, representation, singular}, `{"id": 3, "name": "Cog"}`, 201, "*", []string{"ETag: " + etag(`{"id":3,"name":"Cog"}`)}, "1|Acme 2|Bolt 3|Cog"},
		{"PUT /maker?id=eq.1", []string{only}, `{"id": 1, "name": "Cog"}`, 412,
			`{"code":"SLIP108","details":null,"hint":"Send If-Match with its ETag to replace it.","message":"The row exists already"}`, nil, ""},
		{"PUT /maker?id=eq.1", []string{only, representation, singular}, `{"id": 1, "name": "Cog"}`, 412, "*", []string{unmatched}, ""},
		{"PUT /maker?id=eq.1", []string{only, representation, acceptCSV}, `{"id": 1, "name": "Cog"}`, 412, "*", []string{unmatched}, ""},
		{"PUT /maker?id=eq.3", []string{only}, `{"id": 1, "name": "Cog"}`, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST115"}, ""},
		{"PUT /maker?id=eq.1", []string{"If-None-Match: " + acme}, `{"id": 1, "name": "Cog"}`, 400, "*", []string{unusable}, ""},
		{"PUT /maker?id=eq.1", []string{"If-Match: " + acme, only}, `{"id": 1, "name": "Cog"}`, 400, "*", []string{unusable}, ""},
	})
	s.writings(t, shopReset, `select string_agg(day || '|' || n, ' ' order by day) from api.day`, []writing{ // partitioned
		{"PUT /day?day=eq.2000-01-01&n=eq.1", []string{"If-Match: " + etag(`{"day":"2000-01-01","n":1}`)}, `{"day": "2000-01-01", "n": 1}`, 204, "", nil, ""},
		{"PUT /day?day=eq.2000-01-01&n=eq.1", []string{stale}, `{"day": "2000-01-01", "n": 1}`, 412, "*", nil, ""},
		{"PATCH /day?day=eq.1999-12-31", []string{"If-Match: " + etag(`{"day":"1999-12-31","n":1}`)}, `{"n": 2}`, 204, "", nil, "1999-12-31|2 2000-01-01|1"},
	})
}

// Who may see and write some columns and rows only has ETags of what is seen.
func TestIfMatchWithinPrivileges(t *testing.T) {
	s := serve(t, `
		create table doc (id int primary key, owner text, body text, secret text);
		insert into doc values (1, 'ann', 'a', 's1'), (2, 'bob', 'b', 's2'), (3, 'all', 'c', 's3');
		alter table doc enable row level security;
		create policy seen on doc for select using (owner in ('ann', 'all'));
		create policy written on doc for update using (owner = 'ann');
		revoke all on doc from ANON, MEMBER;
		grant select (id, owner, body), update (body, secret) on doc to ANON;`)
	const columns = "&select=id,owner,body"
	tag := s.tagOf(t, "/doc?id=eq.1"+columns)
	s.exec("update api.doc set secret = 'other'")
	if got := s.tagOf(t, "/doc?id=eq.1"+columns); got != tag {
		t.Error("what is not seen changes the ETag")
	}
	s.write("PATCH", "/doc?id=eq.1", `{"body": "x"}`, "If-Match: "+tag).check(t, 401, "*", "Proxy-Status: PostgREST; error=42501")
	s.write("PATCH", "/doc?id=eq.1"+columns, `{"body": "x"}`, "If-Match: "+tag).check(t, 204, "")
	s.write("PATCH", "/doc?id=eq.1"+columns, `{"body": "y"}`, "If-Match: "+tag).check(t, 412, "*")
	for id, object := range map[int]string{2: `{"id":2,"owner":"bob","body":"b"}`, 3: `{"id":3,"owner":"all","body":"c"}`} {
		s.write("PATCH", fmt.Sprintf("/doc?id=eq.%d%s", id, columns), `{"body": "x"}`, "If-Match: "+etag(object)).check(t, 412, "*")
	}
	if got := s.value("select string_agg(body, ' ' order by id) from api.doc"); got != "x b c" {
		t.Errorf("it leaves %s", got)
	}
}

// contest sends the same conditional write many times at once, while another transaction has the row, and counts the
// statuses of the answers. end is how that transaction ends, such as "update … ; commit".
func (s *site) contest(t *testing.T, request, body, table, end string, headers ...string) map[int]int {
	t.Helper()
	const writers = 8
	other, err := pgconn.Connect(t.Context(), s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(t.Context()) }()
	do := func(sql string) {
		if _, err := other.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	do("begin; select from " + table + " where id = 1 for update")
	method, path, _ := strings.Cut(request, " ")
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for n := range writers {
		wg.Go(func() {
			a, err := s.tryWrite(method, path, strings.ReplaceAll(body, "#", fmt.Sprint(n)), headers...)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.StatusCode]++
		})
	}
	eventually(t, "all wait for the row", func() bool {
		return s.value("select count(*) from pg_stat_activity where usename = 'LOGIN' and wait_event_type = 'Lock'") == fmt.Sprint(writers)
	})
	do(end)
	wg.Wait()
	return statuses
}

// Of any number of writers with one ETag one wins, and none where the row has changed before them.
func TestWritersWithOneETag(t *testing.T) {
	s := serve(t, `
		create table item (id int primary key, name text);
		create view seen as select id, name from item;
		create table logged (like item including all);
		create function keep() returns trigger language plpgsql as $$ begin return new; end $$;
		create trigger keep before update on logged for each row execute function keep();`+grantSQL,
		func(c *slipstream.Config) { c.DBPool = 9 }) // one is kept for others than writers
	for _, c := range []struct{ request, body, table string }{
		{"PATCH /item?id=eq.1", `{"name": "w#"}`, "api.item"},
		{"PATCH /item?order=id&limit=1", `{"name": "w#"}`, "api.item"},
		{"PATCH /seen?id=eq.1", `{"name": "w#"}`, "api.item"},
		{"PATCH /logged?id=eq.1", `{"name": "w#"}`, "api.logged"},
		{"PUT /item?id=eq.1", `{"id": 1, "name": "w#"}`, "api.item"},
		{"PUT /logged?id=eq.1", `{"id": 1, "name": "w#"}`, "api.logged"},
		{"DELETE /item?id=eq.1", "", "api.item"},
		{"DELETE /seen?id=eq.1", "", "api.item"},
	} {
		t.Run(c.request, func(t *testing.T) {
			reset := "truncate " + c.table + "; insert into " + c.table + " values (1, 'a')"
			s.exec(reset)
			match := "If-Match: " + etag(`{"id":1,"name":"a"}`)
			got := s.contest(t, c.request, c.body, c.table, "commit", match)
			if got[204] != 1 || got[412] != 7 {
				t.Errorf("%v", got)
			}
			s.exec(reset)
			got = s.contest(t, c.request, c.body, c.table, "update "+c.table+" set name = 'b'; commit", match)
			if left := s.look("select max(name) from " + c.table); got[412] != 8 || left != "b" {
				t.Errorf("a changed row: %v, it leaves %s", got, left)
			}
			s.exec(reset)
			got = s.contest(t, c.request, c.body, c.table, "delete from "+c.table+"; commit", match)
			if left := s.look("select max(name) from " + c.table); got[412] != 8 || left != none {
				t.Errorf("a deleted row: %v, it leaves %s", got, left)
			}
		})
	}
}

func TestInsertersWithIfNoneMatch(t *testing.T) {
	s := serve(t, "create table item (id int primary key, name text);"+grantSQL)
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for n := range 8 {
		wg.Go(func() {
			a, err := s.tryWrite("PUT", "/item?id=eq.1", fmt.Sprintf(`{"id": 1, "name": "w%d"}`, n), "If-None-Match: *")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.StatusCode]++
		})
	}
	wg.Wait()
	if statuses[204] != 1 || statuses[412] != 7 {
		t.Errorf("%v", statuses)
	}
}

// In a batch, a condition that does not hold undoes all of it.
func TestConditionsInABatch(t *testing.T) {
	s := serve(t, `create table item (id int primary key, name text);`+grantSQL)
	a, results := s.batch(t, `{"operations": [
		{"method": "PUT", "path": "/item?id=eq.1", "headers": {"If-None-Match": "*"}, "body": {"id": 1, "name": "a"}},
		{"method": "PUT", "path": "/item?id=eq.2", "headers": {"If-None-Match": "*"}, "body": {"id": 2, "name": "b"}},
		{"method": "PATCH", "path": "/item?id=eq.1", "headers": {"If-Match": `+strconv.Quote(etag(`{"id":1,"name":"a"}`))+`}, "body": {"name": "c"}}]}`)
	if a.StatusCode != 200 || statuses(results) != "204 204 204" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	a, results = s.batch(t, `{"operations": [
		{"method": "PATCH", "path": "/item?id=eq.1", "body": {"name": "d"}},
		{"method": "PATCH", "path": "/item?id=eq.1", "headers": {"If-Match": `+strconv.Quote(etag(`{"id":1,"name":"c"}`))+`}, "body": {"name": "e"}}]}`)
	if a.StatusCode != 412 || statuses(results) != "424 412" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	a, results = s.batch(t, `{"operations": [
		{"method": "PUT", "path": "/item?id=eq.3", "body": {"id": 3}},
		{"method": "PUT", "path": "/item?id=eq.1", "headers": {"If-None-Match": "*"}, "body": {"id": 9}}]}`)
	if a.StatusCode != 400 || statuses(results) != "424 400" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if left := s.value("select string_agg(concat(id, name), ' ' order by id) from api.item"); left != "1c 2b" {
		t.Errorf("it leaves %s", left)
	}
}
