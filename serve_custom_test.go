package slipstream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

// customSQL has functions that set what they are given, from the URL, as response.headers and response.status.
const customSQL = `
	create table item (id int primary key); insert into item values (1);
	create function hdr(h text, s text default '') returns text language sql stable as
		$$ select set_config('response.headers', h, true) || set_config('response.status', s, true) $$;
	create function nothing(s text) returns void language sql stable as $$ select set_config('response.status', s, true) $$;
	create function rows(h text) returns setof item language sql stable as $$
		select set_config('response.headers', h, true); select * from api.item $$;
	create function pre() returns void language plpgsql as $$ begin
		case current_setting('request.headers')::json->>'x-pre'
		when 'headers' then perform set_config('response.headers', '[{"x-one": "1"}, {"X-One": "2"}, {"cache-control": "no-store"}, {"Vary": "*"}]', true);
		when 'status' then perform set_config('response.status', '418', true);
		when 'broken' then perform set_config('response.headers', '{}', true);
		when 'raise' then raise insufficient_privilege using message = 'not you', hint = 'be another';
		when 'role' then set local role MEMBER;
		else null;
		end case;
	end $$;
	create function whoami() returns text language sql stable as 'select current_user::text';
`

func TestFunctionsSetHeadersAndStatus(t *testing.T) {
	s := serve(t, customSQL, func(c *slipstream.Config) { c.DBPreRequest = "api.pre" })
	s.exchanges(t, []exchange{
		{"GET /item", []string{"X-Pre: headers"}, 200, "*", []string{"X-One: 1 | 2", "Cache-Control: no-store", "Vary: *", "Content-Type: application/json; charset=utf-8"}},
		{"GET /item", []string{"X-Pre: headers", "Accept: text/csv"}, 200, "id\n1", []string{"X-One: 1 | 2"}},
		{"GET /item", []string{"X-Pre: headers", "Accept: application/x-ndjson"}, 200, "{\"id\":1}\n", []string{"X-One: 1 | 2"}},
		{"HEAD /item", []string{"X-Pre: headers"}, 200, "", []string{"X-One: 1 | 2"}},
		{"GET /item", []string{"X-Pre: status"}, 418, `[{"id":1}]`, nil},
		{"GET /item", []string{"X-Pre: status", "Accept: text/csv"}, 418, "id\n1", nil},
		{"GET /item", []string{"X-Pre: broken"}, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST111", "Content-Location:", "Content-Range:"}},
		{"GET /item", []string{"X-Pre: broken", "Accept: text/csv"}, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST111"}},
		{"GET /item", []string{"X-Pre: raise"}, 401, `{"code":"42501","details":null,"hint":"be another","message":"not you"}`, []string{"WWW-Authenticate: Bearer"}},
		{"GET /rpc/whoami", []string{"X-Pre: role"}, 200, `"` + s.member + `"`, nil},
		{`GET /rpc/hdr?h=[{"Content-Type":"text/fancy"},{"content-range":"1-2/3"}]`, nil, 200, "*", []string{"Content-Type: text/fancy", "Content-Range: 1-2/3"}},
		{`GET /rpc/hdr?h=[]&s=206`, nil, 206, `"[]206"`, nil},
		{`GET /rpc/hdr?h=[]&s=304`, nil, 304, "", []string{"Content-Type:", "Content-Length:"}},
		{`GET /rpc/hdr?h=[]&s=204`, nil, 204, "", []string{"Content-Type:", "Content-Length:"}},
		{`GET /rpc/hdr?h=[]&s=201%20Created`, nil, 201, "*", nil},
		{`GET /rpc/nothing?s=202`, nil, 202, "", []string{"Content-Type:"}},
		{`GET /rpc/rows?h=[{"X-Late":"1"}]`, []string{"Accept: text/csv"}, 200, "id\n1", []string{"X-Late: 1"}},
	})
}

func TestFunctionsCannotBreakTheAnswer(t *testing.T) {
	s := serve(t, customSQL)
	const form = "response.headers guc must be a JSON array composed of objects with a single key and a string value"
	for value, details := range map[string]string{
		`{}`: "null", `null`: "null", `[1]`: "null", `[null]`: "null", `[{}]`: "null", `x`: "null",
		`[{"A":1}]`: "null", `[{"A":null}]`: "null", `[{"A":"1","B":"2"}]`: "null",
		`[{"":"x"}]`:                          `"A header's name cannot be empty"`,
		`[{"A B":"x"}]`:                       `"A header's name cannot have the character \" \""`,
		`[{"A:":"x"}]`:                        `"A header's name cannot have the character \":\""`,
		`[{"Ä":"x"}]`:                         `"A header's name cannot have the character \"\\xc3\""`,
		`[{"A\r\nB":"x"}]`:                    `"A header's name cannot have the character \"\\r\""`,
		`[{"A":"x\r\nSet-Cookie: a=b"}]`:      `"The value of the header 'A' cannot have the character \"\\r\""`,
		`[{"A":"x\n\n<script>"}]`:             `"The value of the header 'A' cannot have the character \"\\n\""`,
		`[{"A":"\u0001"}]`:                    `"The value of the header 'A' cannot have the character \"\\x01\""`,
		`[{"content-length":"1"}]`:            `"The header 'content-length' is the server's own"`,
		`[{"Transfer-Encoding":"chunked"}]`:   `"The header 'Transfer-Encoding' is the server's own"`,
		`[{"X":"1"},{"Connection":"close"}]`:  `"The header 'Connection' is the server's own"`,
		`[{"X":"1"},{"upgrade":"websocket"}]`: `"The header 'upgrade' is the server's own"`,
	} {
		t.Run(value, func(t *testing.T) {
			a := s.get("/rpc/hdr?h=" + escape(value))
			a.check(t, 500, fmt.Sprintf(`{"code":"PGRST111","details":%s,"hint":null,"message":%q}`, details, form),
				"A:", "X:", "Set-Cookie:", "Content-Type: application/json; charset=utf-8", "Content-Range:")
		})
	}
	for _, status := range []string{"abc", "0", "99", "101", "199", "1000", "-200", " 200", "99999999999999999999"} {
		s.get("/rpc/hdr?h=[]&s="+escape(status)).check(t, 500,
			`{"code":"PGRST112","details":null,"hint":null,"message":"response.status guc must be a valid status code"}`)
	}
}

// escape percent-encodes all but letters and digits.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func TestRaise(t *testing.T) {
	s := serve(t, `
		create function raise(code text, message text default 'm', detail text default '', hint text default '') returns void language plpgsql stable as
			$$ begin raise using errcode = code, message = message, detail = detail, hint = hint; end $$;`)
	for _, c := range []struct {
		name, message, detail string
		status                int
		body                  string
		headers               []string
	}{
		{"full", `{"code":"X1","message":"m","details":"d","hint":"h"}`, `{"status":402,"headers":{"X-Powered-By":"Nerd","x-a":"1"}}`,
			402, `{"code":"X1","details":"d","hint":"h","message":"m"}`, []string{"X-Powered-By: Nerd", "X-A: 1", "Proxy-Status: PostgREST; error=X1"}},
		{"short", `{"code":"X1","message":"m"}`, `{"status":299,"headers":{}}`, 299, `{"code":"X1","details":null,"hint":null,"message":"m"}`, nil},
		{"code of no header", `{"code":"a\r\nX-Evil: 1","message":"m"}`, `{"status":400,"headers":{}}`, 400, "*", []string{"X-Evil:", "Proxy-Status: PostgREST"}},
		{"no status", `{"code":"X1","message":"m"}`, `{"headers":{}}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST121"}},
		{"status of no answer", `{"code":"X1","message":"m"}`, `{"status":100,"headers":{}}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST121"}},
		{"no code", `{"message":"m"}`, `{"status":400,"headers":{}}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST121"}},
		{"no detail", `{"code":"X1","message":"m"}`, ``, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST121"}},
		{"smuggled header", `{"code":"X1","message":"m"}`, `{"status":400,"headers":{"A":"1\r\nB: 2"}}`, 500, "*", []string{"A:", "B:", "Proxy-Status: PostgREST; error=PGRST121"}},
		{"framing", `{"code":"X1","message":"m"}`, `{"status":400,"headers":{"Content-Length":"1"}}`, 500, "*", []string{"Proxy-Status: PostgREST; error=PGRST121"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.get("/rpc/raise?code=PGRST&message="+escape(c.message)+"&detail="+escape(c.detail)).check(t, c.status, c.body, c.headers...)
		})
	}
	s.get("/rpc/raise?code=PT402&message=Payment&detail=Quota&hint=Upgrade").check(t, 402,
		`{"code":"PT402","details":"Quota","hint":"Upgrade","message":"Payment"}`, "Proxy-Status: PostgREST; error=PT402")
}

// The table of https://postgrest.org/en/stable/references/errors.html#http-status-codes.
func TestStatusOfEverySQLState(t *testing.T) {
	s := serve(t, `create function raise(code text) returns void language plpgsql stable as
		$$ begin raise using errcode = code, message = 'm', hint = 'h'; end $$;`)
	for code, status := range map[string]int{
		"08000": 503, "09000": 500, "0L000": 403, "0P000": 403, "21000": 500, "22012": 400, "23502": 400, "23503": 409, "23505": 409,
		"25006": 405, "25P02": 500, "28000": 403, "2D000": 500, "38000": 500, "39000": 500, "3B000": 500, "40001": 500, "42501": 403,
		"42883": 404, "42P01": 404, "42P17": 500, "42703": 400, "53000": 503, "53400": 500, "54000": 500, "55000": 500, "57000": 500, "57014": 500,
		"58000": 500, "F0000": 500, "HV000": 500, "P0001": 400, "P0002": 500, "XX000": 500, "PT444": 444, "PT999": 500, "ZZZZZ": 400,
	} {
		s.get("/rpc/raise?code="+code, s.bearer()).check(t, status, `{"code":"`+code+`","details":null,"hint":"h","message":"m"}`,
			"Proxy-Status: PostgREST; error="+code, "WWW-Authenticate:")
	}
	s.get("/rpc/raise?code=42501").check(t, 401, "*", "WWW-Authenticate: Bearer")
}

func TestRefusals(t *testing.T) {
	s := serve(t, `create table item (id int); create table secret (id int); revoke all on secret from ANON, MEMBER;`)
	denied := `{"code":"42501","details":null,"hint":null,"message":"permission denied for table secret"}`
	s.get("/secret").check(t, 401, denied, "WWW-Authenticate: Bearer")
	s.get("/secret", s.bearer()).check(t, 403, denied, "WWW-Authenticate:")
	s.get("/item", "Authorization: Bearer "+s.token("nobody_like_this")).check(t, 401,
		`{"code":"22023","details":null,"hint":null,"message":"role \"nobody_like_this\" does not exist"}`, "WWW-Authenticate: Bearer")
	s.get("/item", "Authorization: Bearer "+s.token("postgres")).check(t, 403,
		`{"code":"42501","details":null,"hint":null,"message":"permission denied to set role \"postgres\""}`)
	s.get("/item", "Authorization: Bearer x.y.z").check(t, 401, "*", "Proxy-Status: PostgREST; error=PGRST301")
}

func TestMinimalErrors(t *testing.T) {
	s := serve(t, `create table item (id int);`, func(c *slipstream.Config) { c.ClientErrorVerbosity = "minimal" })
	s.get("/itm").check(t, 404, `{"code":"PGRST205","message":"Could not find the table 'api.itm' in the schema cache"}`)
	s.get("/item", "Authorization: Bearer x.y.z").check(t, 401, "*")
	s.get("/item?nosuch=eq.1").check(t, 400, `{"code":"42703","message":"column item.nosuch does not exist"}`)
}
