package slipstream_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const ledgerSQL = `
	create table account (id int primary key, owner text not null default current_user, balance int not null check (balance >= 0));
	create table entry (
		id int primary key, account_id int references account, amount int not null, slot int unique deferrable initially deferred, account_late int references account deferrable initially deferred);
	create table journal (id int primary key, what text);
	create function journal_set() returns trigger language plpgsql as $$ begin
		perform set_config('response.headers', new.what, true) where new.what like '[%';
		perform set_config('response.status', new.what, true) where new.what like '=%' ;
		if new.what = 'broken status' then perform set_config('response.status', 'teapot', true); end if;
		if new.what = 'broken headers' then perform set_config('response.headers', '{"a": 1}', true); end if;
		if new.what = 'status' then perform set_config('response.status', '202', true); end if;
		if new.what = 'headers' then perform set_config('response.headers', '[{"X-Journal": "1"}, {"Location": "/elsewhere"}]', true); end if;
		if new.what = 'refuse' then raise sqlstate 'PT418' using message = 'teapot', hint = 'coffee'; end if;
		if new.what = 'refuse all' then raise sqlstate 'PGRST' using message = '{"code": "X", "message": "no"}', detail = '{"status": 451, "headers": {"X-Why": "law"}}'; end if;
		return new;
	end $$;
	create trigger journal_set before insert or update on journal for each row execute function journal_set();
	create table mine (id int primary key, owner text not null default current_user);
	alter table mine enable row level security;
	create policy own on mine using (owner = current_user) with check (owner = current_user);
	create table silent (id int);
` + grantSQL + `revoke all on silent from ANON, MEMBER; grant select on silent to ANON;`

const ledgerReset = `
	truncate account, entry, journal, mine;
	insert into account values (1, 'a', 10), (2, 'b', 0);
	insert into entry (id, account_id, amount, slot) values (1, 1, 10, 1);
	insert into mine values (1, 'somebody');`

// lookLedger is all of it: a refused write leaves nothing behind.
const lookLedger = `select jsonb_build_array((select jsonb_agg(a order by id) from api.account a), (select jsonb_agg(e order by id) from api.entry e),
	(select jsonb_agg(j order by id) from api.journal j), (select jsonb_agg(m order by id) from api.mine m))::text`

func TestRefusedWritesLeaveNothing(t *testing.T) {
	s := serve(t, ledgerSQL)
	code := func(code string) []string {
		return []string{"Proxy-Status: PostgREST; error=" + code, "Location:", "Preference-Applied:", "Content-Range:"}
	}
	s.writings(t, ledgerReset, lookLedger, []writing{
		{"POST /account", nil, `[{"id": 3, "balance": 1}, {"id": 1, "balance": 1}]`, 409,
			`{"code":"23505","details":"Key (id)=(1) already exists.","hint":null,"message":"duplicate key value violates unique constraint \"account_pkey\""}`, code("23505"), ""},
		{"POST /account", nil, `[{"id": 3, "balance": 1}, {"id": 4, "balance": -1}]`, 400, "*", code("23514"), ""},
		{"POST /account", nil, `[{"id": 3, "balance": 1}, {"id": 4, "balance": null}]`, 400, "*", code("23502"), ""},
		{"POST /entry", nil, `[{"id": 3, "amount": 1}, {"id": 4, "amount": 1, "account_id": 7}]`, 400, "*", code("PGRST102"), ""},
		{"POST /entry", nil, `[{"id": 3, "amount": 1, "account_id": 1}, {"id": 4, "amount": 1, "account_id": 7}]`, 409, "*", code("23503"), ""},
		{"POST /account", nil, `[{"id": 3, "balance": 1}, {"id": 99999999999, "balance": 1}]`, 400, "*", code("22003"), ""},
		{"POST /account", nil, `[{"id": 3, "balance": 1}, {"id": "four", "balance": 1}]`, 400, "*", code("22P02"), ""},
		{"POST /account", nil, `{"id": 3, "balance": 1, "nope": 1}`, 400, "*", code("PGRST204"), ""},
		{"POST /account", nil, `{"id": 3, "balance": {"a": 1}}`, 400, "*", code("22P02"), ""},
		{"POST /account", []string{representation}, `{"id": 3, "owner": "a\u0000b", "balance": 1}`, 400, "*", code("22P05"), ""},
		{"PATCH /account", nil, `{"balance": -1}`, 400, "*", code("23514"), ""},
		{"PATCH /account?id=eq.1", nil, `{"id": 2}`, 409, "*", code("23505"), ""},
		{"DELETE /account?id=eq.1", nil, ``, 409, "*", code("23503"), ""},
		// the commit itself is refused
		{"POST /entry", nil, `{"id": 3, "amount": 1, "slot": 1}`, 409,
			`{"code":"23505","details":"Key (slot)=(1) already exists.","hint":null,"message":"duplicate key value violates unique constraint \"entry_slot_key\""}`, code("23505"), ""},
		{"POST /entry", []string{representation}, `{"id": 3, "amount": 1, "account_late": 7}`, 409, "*", code("23503"), ""},
		{"PATCH /entry", []string{representation, acceptCSV}, `{"account_late": 7}`, 409, "*", code("23503"), ""},
		// the answer cannot be given
		{"PATCH /account", []string{singular, representation}, `{"balance": 5}`, 406,
			`{"code":"PGRST116","details":"The result contains 2 rows","hint":null,"message":"Cannot coerce the result to a single JSON object"}`, code("PGRST116"), ""},
		{"DELETE /entry?id=eq.9", []string{singular}, ``, 406, "*", code("PGRST116"), ""},
		{"POST /account?select=id,nope", []string{representation}, `{"id": 3, "balance": 1}`, 400, "*", code("42703"), ""},
		{"POST /account?select=id,nope(*)", []string{representation}, `{"id": 3, "balance": 1}`, 400, "*", code("PGRST200"), ""},
		{"POST /account", []string{"Accept: image/png"}, `{"id": 3, "balance": 1}`, 406, "*", code("PGRST107"), ""},
		{"POST /journal", nil, `{"id": 1, "what": "broken status"}`, 500, "*", code("PGRST112"), ""},
		{"POST /journal", []string{headersOnly}, `{"id": 1, "what": "broken headers"}`, 500, "*", code("PGRST111"), ""},
		{"POST /journal", []string{representation, acceptNDJSON}, `{"id": 1, "what": "broken headers"}`, 500, "*", code("PGRST111"), ""},
		{"POST /journal", nil, `[{"id": 1, "what": ""}, {"id": 2, "what": "refuse"}]`, 418, `{"code":"PT418","details":null,"hint":"coffee","message":"teapot"}`, code("PT418"), ""},
		{"POST /journal", nil, `[{"id": 1, "what": ""}, {"id": 2, "what": "refuse all"}]`, 451, `{"code":"X","details":null,"hint":null,"message":"no"}`, []string{"X-Why: law"}, ""},
		// rights and policies
		{"POST /mine", nil, `{"id": 2, "owner": "somebody"}`, 401,
			`{"code":"42501","details":null,"hint":null,"message":"new row violates row-level security policy for table \"mine\""}`, []string{"WWW-Authenticate: Bearer"}, ""},
		{"POST /mine", []string{s.bearer()}, `[{"id": 2, "owner": "` + s.member + `"}, {"id": 3, "owner": "somebody"}]`, 403, "*", []string{"WWW-Authenticate:"}, ""},
		{"POST /mine", []string{s.bearer(), "Prefer: resolution=merge-duplicates"}, `{"id": 1, "owner": "` + s.member + `"}`, 403, "*", code("42501"), ""},
		{"PATCH /mine", []string{s.bearer(), representation}, `{"owner": "` + s.member + `"}`, 200, "[]", nil, ""},
		{"DELETE /mine", []string{s.bearer()}, ``, 204, "", nil, ""},
		{"POST /silent", nil, `{"id": 1}`, 401, "*", code("42501"), ""},
		{"PATCH /silent", []string{s.bearer()}, `{"id": 1}`, 403, "*", code("42501"), ""},
		// bodies
		{"POST /account", nil, ``, 400, `{"code":"PGRST102","details":null,"hint":null,"message":"Empty or invalid json"}`, code("PGRST102"), ""},
		{"POST /account", nil, `{"id": 3, "balance": 1`, 400, "*", code("PGRST102"), ""},
		{"POST /account", nil, `{"id": 3, "balance": 1} x`, 400, "*", code("PGRST102"), ""},
		{"POST /account", nil, "{\"id\": 3, \"owner\": \"\xff\", \"balance\": 1}", 400, "*", nil, ""},
		{"POST /account", nil, `[{"id": 3, "balance": 1}, [5]]`, 400, "*", code("PGRST102"), ""},
		{"POST /account?columns=id,balance", nil, `[{"id": 3, "balance": 1}, [5]]`, 400, "*", code("22023"), ""},
		{"POST /account", []string{"Content-Type: text/csv"}, "id,balance\n3,1\n4", 400, `{"code":"PGRST102","details":null,"hint":null,"message":"All lines must have same number of fields"}`, nil, ""},
		{"POST /account", []string{"Content-Type: text/csv"}, "id,balance\n3,1\n4,\"1", 400, "*", code("PGRST102"), ""},
		{"POST /account", []string{"Content-Type: application/x-www-form-urlencoded"}, "id=3&balance=%FF", 400, "*", code("22021"), ""},
		{"POST /account", []string{"Content-Type: application/xml"}, "<a/>", 400, "*", code("PGRST102"), ""},
		{"POST /account", nil, `{"id": 3, "balance": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, 400, "*", code("SLIP103"), ""},
		{"POST /nope", nil, `{"id": 3}`, 404, "*", code("PGRST205"), ""},
		{"POST /", nil, `{"id": 3}`, 405, "*", nil, ""},
		// what a trigger wants of the answer is no refusal
		{"POST /journal", nil, `{"id": 1, "what": "status"}`, 202, "", nil, `[[{"id": 1, "owner": "a", "balance": 10}, {"id": 2, "owner": "b", "balance": 0}], ` +
			`[{"id": 1, "slot": 1, "amount": 10, "account_id": 1, "account_late": null}], [{"id": 1, "what": "status"}], [{"id": 1, "owner": "somebody"}]]`},
	})
	s.exec("set search_path to api;" + ledgerReset)
	s.write("POST", "/journal", `{"id": 1, "what": "headers"}`, headersOnly).check(t, 201, "", "X-Journal: 1", "Location: /elsewhere")
	s.write("POST", "/mine", `{"id": 2}`, s.bearer(), representation).check(t, 201, `[{"id":2,"owner":"`+s.member+`"}]`)
}

func TestABodyOverTheLimit(t *testing.T) {
	s := serve(t, `create table item (t text);`+grantSQL, func(c *slipstream.Config) { c.RequestMaxBody = 1000 })
	large := `{"t": "` + strings.Repeat("x", 1000) + `"}`
	s.writings(t, "truncate item", "select count(*) from api.item", []writing{
		{"POST /item", nil, large, 413, `{"code":"SLIP104","details":null,"hint":"Send it in parts, or have request-max-body raised","message":"The body is larger than 1000 bytes"}`, nil, "0"},
		{"POST /item", nil, large[:8] + large[50:], 201, "", nil, "1"},
		{"POST /rpc/nope", nil, large, 413, "*", nil, "0"},
	})
}
