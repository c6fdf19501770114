package slipstream_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

const settingsSQL = `
	create function setting(name text) returns text language sql stable as $$ select current_setting(name, true) $$;
	create function whoami() returns json language sql stable as
		$$ select json_build_object('user', current_user, 'session', session_user, 'path', current_setting('search_path'), 'read_only', current_setting('transaction_read_only')) $$;
	create table item (id int); 
	create function now_in() returns timestamptz language sql stable as $$ select '2024-01-01T12:00:00Z'::timestamptz $$;
`

// setting asks for a setting as a request with these headers sees it.
func (s *site) setting(name string, headers ...string) string {
	s.t.Helper()
	a := s.get("/rpc/setting?name="+name, headers...)
	var value *string
	if err := json.Unmarshal([]byte(a.body), &value); err != nil || value == nil {
		s.t.Fatalf("%s: %d %s", name, a.StatusCode, a.body)
	}
	return *value
}

func TestRequestSettings(t *testing.T) {
	s := serve(t, settingsSQL)
	for name, want := range map[string]string{"request.method": "GET", "request.path": "/rpc/setting", "request.cookies": "{}"} {
		if got := s.setting(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a := s.get("/rpc/sett%69ng?name=request.path"); a.body != `"/rpc/sett%69ng"` {
		t.Errorf("path as sent: %s", a.body)
	}
	a := s.get("/rpc/whoami", s.bearer())
	want := `{"user" : "` + s.member + `", "session" : "` + s.login + `", "path" : "\"api\", \"public\"", "read_only" : "on"}`
	a.check(t, 200, want)
}

// rawSettings sends header lines as they are, bytes that no client library sends included.
func (s *site) rawHeaders(lines string) map[string]string {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr(), 10*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /rpc/setting?name=request.headers HTTP/1.1\r\nHost: shop.example:8080\r\nConnection: close\r\n" + lines + "\r\n")); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var text string
	if err := json.NewDecoder(response.Body).Decode(&text); err != nil {
		s.t.Fatalf("status %d: %v", response.StatusCode, err)
	}
	headers := map[string]string{}
	if err := json.Unmarshal([]byte(text), &headers); err != nil {
		s.t.Fatalf("%v in %s", err, text)
	}
	return headers
}

func TestRequestHeadersSetting(t *testing.T) {
	s := serve(t, settingsSQL)
	got := s.rawHeaders("X-QUOTE: a\"b\\c\r\nx-tab: a\tb\r\nX-Latin: caf\xe9\r\nX-UTF8: caf\xc3\xa9 \U0001f600\r\n" +
		"X-Twice: one\r\nX-Twice: two\r\nX-Empty:\r\nCookie: a=b\r\nAuthorization: Basic eDp5\r\n")
	want := map[string]string{
		"host": "shop.example:8080", "connection": "close", "x-quote": `a"b\c`, "x-tab": "a\tb", "x-latin": "caf\ufffd", "x-utf8": "café 😀",
		"x-twice": "two", "x-empty": "", "authorization": "Basic eDp5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequestCookiesSetting(t *testing.T) {
	s := serve(t, settingsSQL)
	for cookies, want := range map[string]string{
		"a=1":                 `{"a":"1"}`,
		"a=1; b=x y; a=2; c=": `{"a":"2","b":"x y","c":""}`,
		`q="quoted"`:          `{"q":"quoted"}`,
		"=; ;":                `{}`,
	} {
		if got := s.setting("request.cookies", "Cookie: "+cookies); got != want {
			t.Errorf("%s: %s, want %s", cookies, got, want)
		}
	}
}

func TestClaimsSetting(t *testing.T) {
	s := serve(t, settingsSQL)
	if got, want := s.setting("request.jwt.claims"), `{"role":"`+s.anon+`"}`; got != want {
		t.Errorf("anonymous: %s", got)
	}
	got := s.setting("request.jwt.claims", s.bearer(`"id": 9007199254740993`, `"big": 123456789012345678901234567890`, `"f": 1.10`, `"s": "ü\u0041\"", "o": {"b": 1, "a": [null]}`))
	var claims map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got), &claims); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	for name, want := range map[string]string{
		"id": "9007199254740993", "big": "123456789012345678901234567890", "o": `{"b":1,"a":[null]}`, "role": `"` + s.member + `"`,
	} {
		if string(claims[name]) != want {
			t.Errorf("%s: %s, want %s", name, claims[name], want)
		}
	}
}

func TestSettingsOfConfigurationRolesAndFunctions(t *testing.T) {
	s := newSite(t, settingsSQL+`
		create function slow() returns text language sql stable set statement_timeout = '77s' as $$ select current_setting('statement_timeout') $$;
		create function isolated() returns text language sql stable set default_transaction_isolation = 'serializable' as $$ select current_setting('transaction_isolation') $$;
		create function visible() returns int language sql stable as $$ select count(*)::int from api.item $$;
		alter role MEMBER set statement_timeout = '33s'; alter role MEMBER set default_transaction_isolation = 'repeatable read';
		alter role MEMBER set log_statement = 'all';`)
	s.config.AppSettings = map[string]string{"key": "it's \"quoted\""}
	s.config.DBStatementTimeout = 44 * time.Second
	s.run()
	s.ready()
	for _, c := range []struct{ name, anonymous, member string }{
		{"app.settings.key", `it's "quoted"`, `it's "quoted"`},
		{"statement_timeout", "44s", "33s"},
		{"transaction_isolation", "read committed", "repeatable read"},
		{"log_statement", "none", "none"}, // not the login role's to set
	} {
		if got := s.setting(c.name); got != c.anonymous {
			t.Errorf("%s: %q, want %q", c.name, got, c.anonymous)
		}
		if got := s.setting(c.name, s.bearer()); got != c.member {
			t.Errorf("%s of the role: %q, want %q", c.name, got, c.member)
		}
	}
	s.get("/rpc/slow").check(t, 200, `"77s"`)
	s.get("/rpc/slow", s.bearer()).check(t, 200, `"77s"`)
	s.get("/rpc/isolated").check(t, 200, `"serializable"`)
	if got := s.setting("statement_timeout"); got != "44s" {
		t.Errorf("after a function with settings: %s", got)
	}
}

func TestTimezone(t *testing.T) {
	s := serve(t, settingsSQL)
	s.get("/rpc/now_in", "Prefer: timezone=Asia/Tokyo").check(t, 200, `"2024-01-01T21:00:00+09:00"`, "Preference-Applied: timezone=Asia/Tokyo")
	s.get("/rpc/now_in", "Prefer: timezone=UTC").check(t, 200, `"2024-01-01T12:00:00+00:00"`)
	s.get("/rpc/now_in", "Prefer: timezone='; drop table api.item --").check(t, 400, "*", "Proxy-Status: PostgREST; error=22023")
	s.get("/item").check(t, 200, "[]")
}

// A connection serves all roles in turn: nothing of one request may be left for the next.
func TestSettingsEndWithTheRequest(t *testing.T) {
	s := serve(t, settingsSQL, func(c *slipstream.Config) { c.DBPool = 1 })
	s.get("/rpc/whoami", s.bearer(`"sub": "7"`), "X-Secret: 1", "Prefer: timezone=Asia/Tokyo").check(t, 200, "*")
	s.get("/nosuch?x=eq.1", s.bearer()).check(t, 404, "*")
	s.get("/item?nosuch=eq.1", s.bearer()).check(t, 400, "*")
	if got, want := s.setting("request.jwt.claims"), `{"role":"`+s.anon+`"}`; got != want {
		t.Errorf("claims: %s", got)
	}
	if got := s.setting("timezone"); got == "Asia/Tokyo" {
		t.Error("the time zone stayed")
	}
	left := s.value(`select count(*) from pg_stat_activity where datname = current_database() and usename = 'LOGIN' and state <> 'idle'`)
	if left != "0" {
		t.Errorf("%s connections are in a transaction", left)
	}
}

func TestReadsCannotWrite(t *testing.T) {
	s := serve(t, settingsSQL+`create function put() returns int language sql volatile security definer as 'insert into api.item values (1) returning id';
		create function sneaky() returns int language plpgsql stable security definer as $$ begin perform set_config('transaction_read_only', 'off', true); insert into api.item values (1); return 1; end $$;`)
	s.get("/rpc/put").check(t, 405, "*", "Proxy-Status: PostgREST; error=25006")
	if a := s.get("/rpc/sneaky"); a.StatusCode < 400 {
		t.Errorf("a stable function wrote: %d %s", a.StatusCode, a.body)
	}
	if n := s.value("select count(*) from api.item"); n != "0" {
		t.Errorf("%s rows were written", n)
	}
}
