package slipstream_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const swapSQL = `
	create table item (id int primary key, name text not null, shop text default current_setting('app.settings.shop'));
	insert into item select i, 'item ' || i, '' from generate_series(1, 9) i;
	create table secret (id int);
	create function check_request() returns void language plpgsql as $$ begin
		if current_setting('request.headers')::json->>'x-refuse' = 'yes' then
			raise sqlstate 'PT402' using message = 'Payment Required', detail = 'Quota exceeded', hint = 'Upgrade your plan';
		end if;
	end $$;` + grantSQL + `revoke all on secret from ANON, MEMBER; grant select on secret to MEMBER;`

// swapped serves what a PostgREST had: its file and its environment, unchanged but for the ports.
func swapped(t *testing.T) *site {
	t.Helper()
	s := newSite(t, swapSQL)
	env := []string{
		"DATABASE=" + s.dsnAs(s.login), "WEB_ANON=" + s.anon, "PATH=/bin",
		"PGRST_DB_MAX_ROWS=5", "PGRST_DB_AGGREGATES_ENABLED=true", "PGRST_DB_CHANNEL_ENABLED=false", "PGRST_APP_SETTINGS_shop=another shop",
	}
	c, warnings, err := slipstream.Load(slipstream.Sources{File: "testdata/swap/postgrest.conf", Env: env})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	c.ServerPort, c.AdminServerPort, c.Logger = slipstream.AnyPort, slipstream.AnyPort, s.config.Logger
	s.config = c
	s.run()
	s.ready()
	return s
}

// swapToken has the claims of the installation's tokens.
func (s *site) swapToken() string {
	return s.bearer(`"aud": "shop"`, `"app": {"role": "`+s.member+`"}`)
}

func TestSwapFromPostgREST(t *testing.T) {
	s := swapped(t)
	s.get("/item?select=id&order=id").check(t, 200, "[{\"id\":1}, \n {\"id\":2}, \n {\"id\":3}, \n {\"id\":4}, \n {\"id\":5}]", "Content-Range: 0-4/*")
	s.get("/item?select=count()").check(t, 200, `[{"count":9}]`)
	s.get("/secret", s.swapToken()).check(t, 200, "[]")
	s.write("POST", "/item?select=shop", `{"id": 10, "name": "new"}`, representation, s.swapToken()).check(t, 201, `[{"shop":"another shop"}]`)
	a := s.get("/item?limit=1", "Origin: https://shop.example", "X-Request-Id: 4f2a")
	a.check(t, 200, "*", "Access-Control-Allow-Origin: https://shop.example", "X-Request-Id: 4f2a")
	if a.Header.Get("Server-Timing") == "" {
		t.Error("no Server-Timing")
	}
	var description struct{ Swagger, Host string }
	if err := json.Unmarshal([]byte(s.get("/").body), &description); err != nil || description.Swagger != "2.0" || description.Host != "api.shop.example:443" {
		t.Errorf("%+v, %v", description, err)
	}
}

// The envelopes, statuses and headers of errors that dashboards and clients know.
func TestSwappedErrors(t *testing.T) {
	s := swapped(t)
	for _, c := range []struct {
		method, path, body string
		headers            []string
		status             int
		answer             string
		with               []string
	}{
		{"GET", "/nope", "", nil, 404, `{"code":"PGRST205","details":null,"hint":null,"message":"Could not find the table 'api.nope' in the schema cache"}`, nil},
		{"GET", "/item?id=what.1", "", nil, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST100"}},
		{"GET", "/item?id=eq.x", "", nil, 400, `{"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"x\""}`, nil},
		{"GET", "/item?nope=eq.x", "", nil, 400, `{"code":"42703","details":null,"hint":"Perhaps you meant to reference the column \"item.name\".","message":"column item.nope does not exist"}`, nil},
		{"GET", "/item", "", []string{"Accept: image/png"}, 406, "*", []string{"Proxy-Status: PostgREST; error=PGRST107"}},
		{"GET", "/item?id=eq.0", "", []string{singular}, 406, "*", []string{"Proxy-Status: PostgREST; error=PGRST116"}},
		{"GET", "/item?offset=99", "", []string{"Prefer: count=exact"}, 416, "*", []string{"Proxy-Status: PostgREST; error=PGRST103"}},
		{"GET", "/secret", "", nil, 401, `{"code":"42501","details":null,"hint":null,"message":"permission denied for table secret"}`, []string{"WWW-Authenticate: Bearer"}},
		{"GET", "/item", "", []string{"Authorization: Bearer x.y.z"}, 401, "*", []string{"Proxy-Status: PostgREST; error=PGRST301"}},
		{"GET", "/item", "", []string{s.bearer(`"aud": "another"`)}, 401, "*", []string{"Proxy-Status: PostgREST; error=PGRST303"}},
		{"GET", "/item", "", []string{"X-Refuse: yes"}, 402, `{"code":"PT402","details":"Quota exceeded","hint":"Upgrade your plan","message":"Payment Required"}`, nil},
		{"POST", "/item", `{"id": 1, "name": "x"}`, nil, 409, `{"code":"23505","details":"Key (id)=(1) already exists.","hint":null,"message":"duplicate key value violates unique constraint \"item_pkey\""}`, nil},
		{"POST", "/item", `{"id": 11`, nil, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST102"}},
		{"POST", "/rpc/nope", `{}`, nil, 404, "*", []string{"Proxy-Status: PostgREST; error=PGRST202"}},
	} {
		t.Run(c.method+" "+c.path+" "+strings.Join(c.headers, " "), func(t *testing.T) {
			a := s.write(c.method, c.path, c.body, c.headers...)
			a.check(t, c.status, c.answer, append(c.with, "Content-Type: application/json; charset=utf-8")...)
			var envelope map[string]any
			if err := json.Unmarshal([]byte(a.body), &envelope); err != nil || len(envelope) != 4 {
				t.Errorf("envelope %s", a.body)
			}
		})
	}
}

// What probes and dashboards ask the admin server.
func TestSwappedAdminServer(t *testing.T) {
	s := swapped(t)
	s.get("/item", s.swapToken())
	s.get("/item", s.swapToken())
	for path, has := range map[string][]string{
		"/live": nil, "/ready": nil, "/schema_cache": {`"item"`},
		"/config": {"\ndb-max-rows: 5\n", "\ndb-anon-role: " + s.anon + "\n", "\njwt-role-claim-key: .app.role\n"}, // in our format
		"/metrics": {
			"\npgrst_schema_cache_query_time_seconds ", "\npgrst_schema_cache_loads_total{status=\"SUCCESS\"} 1\n", "\npgrst_db_pool_timeouts_total 0\n",
			"\npgrst_db_pool_available ", "\npgrst_db_pool_waiting 0\n", "\npgrst_db_pool_max 4\n",
			"\npgrst_jwt_cache_requests_total 2\n", "\npgrst_jwt_cache_hits_total 1\n", "\npgrst_jwt_cache_evictions_total 0\n",
		},
	} {
		status, body := s.admin(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		for _, part := range has {
			if !strings.Contains("\n"+body, part) {
				t.Errorf("%s has no %q", path, part)
			}
		}
		if strings.Contains(body, jwtSecret) {
			t.Errorf("%s tells the secret", path)
		}
	}
}
