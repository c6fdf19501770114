package slipstream_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/idemkey"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

const (
	onceSQL = `
		create table item (id int generated always as identity primary key, name text unique, owner text default current_user);
		create function add(name text) returns int language sql volatile as $$ insert into api.item (name) values ($1) returning id $$;
		create function quietly(name text) returns void language sql volatile as $$ insert into api.item (name) values ($1) $$;
		create function levelled(name text) returns int language sql volatile set default_transaction_isolation to 'serializable' as
			$$ insert into api.item (name) values ($1) returning id $$;
		create function large(n int) returns text language sql volatile as $$ insert into api.item (name) values ('large'); select repeat('x', n) $$;
		create function dressed() returns int language plpgsql volatile as $$ begin
			insert into api.item (name) values (null);
			perform set_config('response.headers', '[{"X-One": "1"}, {"X-One": "2"}, {"Vary": "X"}]', true), set_config('response.status', '202', true);
			return 1; end $$;` + grantSQL

	key       = "Idempotency-Key: 5f0c6a5e-7f3b-4f0e-9b8e-1c2d3e4f5a6b"
	replayed  = "Idempotency-Replayed: true"
	executed  = "Idempotency-Replayed:"
	countItem = "select count(*) from api.item"
)

// serveOnce is serve where idempotency keys are installed.
func serveOnce(t *testing.T, sql string, change ...func(*slipstream.Config)) *site {
	t.Helper()
	s := newSite(t, sql)
	for _, f := range change {
		f(&s.config)
	}
	s.installKeys()
	s.run()
	s.ready()
	return s
}

func (s *site) installKeys() {
	s.t.Helper()
	if err := idemkey.Install(s.t.Context(), s.dsn, s.login); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) ann() string { return s.bearer(`"sub": "ann"`) }

// Whatever a write or call is answered, the same comes again: status, headers and body, and nothing is done.
func TestIdempotencyKeyGivesTheStoredAnswer(t *testing.T) {
	s := serveOnce(t, onceSQL, func(c *slipstream.Config) { c.DBPlanEnabled = true })
	s.exec("insert into api.item (name) values ('old')")
	for i, c := range []struct {
		method, path, body string
		send               []string
		status             int
	}{
		{"POST", "/item", `{"name": "a"}`, nil, 201},
		{"POST", "/item?select=id,name", `[{"name": "b"}, {"name": "ü"}]`, []string{representation}, 201},
		{"POST", "/item", `{"name": "c"}`, []string{"Prefer: return=headers-only"}, 201},
		{"POST", "/item?columns=name", "name\nd", []string{"Content-Type: text/csv", representation, acceptCSV}, 201},
		{"POST", "/item", `{"name": "e"}`, []string{representation, acceptNDJSON}, 201},
		{"PATCH", "/item?name=eq.old", `{"owner": "x"}`, nil, 204},
		{"PATCH", "/item?name=eq.old", `{"owner": "y"}`, []string{representation, "Prefer: count=exact"}, 200},
		{"POST", "/rpc/add", `{"name": "f"}`, nil, 200},
		{"POST", "/rpc/quietly", `{"name": "g"}`, nil, 204},
		{"POST", "/rpc/levelled", `{"name": "h"}`, nil, 200},
		{"POST", "/rpc/dressed", `{}`, nil, 202},
		{"POST", "/item", `{"name": "i"}`, []string{"Accept: application/vnd.pgrst.plan+json"}, 200},
	} {
		t.Run(c.method+" "+c.path+" "+c.body, func(t *testing.T) {
			send := append([]string{s.ann(), fmt.Sprintf("Idempotency-Key: %d", i)}, c.send...)
			first := s.write(c.method, c.path, c.body, send...)
			first.check(t, c.status, "*", executed)
			left := s.value("select string_agg(i::text, ' ' order by id) from api.item i")
			again := s.write(c.method, c.path, c.body, send...)
			again.check(t, c.status, first.body, replayed)
			first.Header.Set("Idempotency-Replayed", "true")
			for _, h := range []answer{first, again} {
				h.Header.Del("Date")
				h.Header.Del("X-Request-Id")
			}
			if got, want := fmt.Sprint(again.Header), fmt.Sprint(first.Header); got != want {
				t.Errorf("headers\n%s\nwant\n%s", got, want)
			}
			if got := s.value("select string_agg(i::text, ' ' order by id) from api.item i"); got != left {
				t.Errorf("it leaves\n%s\nwant\n%s", got, left)
			}
		})
	}
}

// Two spellings of a key are one, and a renewed token is the same caller's.
func TestIdempotencyKeyOfTheSameCaller(t *testing.T) {
	s := serveOnce(t, onceSQL)
	s.write("POST", "/item", `{}`, s.bearer(`"sub": "ann", "iat": 1, "jti": "x"`), "Idempotency-Key: k").check(t, 201, "", executed)
	s.write("POST", "/item", `{}`, s.bearer(`"iat": 2, "exp": 99999999999, "jti": "y", "sub": "ann"`), `Idempotency-Key: "k"`).check(t, 201, "", replayed)
	if got := s.value(countItem); got != "1" {
		t.Errorf("%s rows", got)
	}
}

// What differs in any of these is another request, which is done and answered on its own.
func TestIdempotencyKeyOfAnother(t *testing.T) {
	s := serveOnce(t, onceSQL)
	other := pgtest.Role(t, "nologin")
	s.exec("grant " + other + " to LOGIN; grant MEMBER to " + other)
	s.write("POST", "/item", `{}`, key, s.ann()).check(t, 201, "", executed)
	for name, r := range map[string][]string{
		"subject":        {"POST", "/item", key, s.bearer(`"sub": "bert"`)},
		"issuer":         {"POST", "/item", key, s.bearer(`"sub": "ann", "iss": "elsewhere"`)},
		"tenant":         {"POST", "/item", key, s.bearer(`"sub": "ann", "app_metadata": {"tenant": 7}`)},
		"no subject":     {"POST", "/item", key, s.bearer(`"jti": "1"`)},
		"no subject too": {"POST", "/item", key, s.bearer(`"jti": "2"`)},
		"role":           {"POST", "/item", key, "Authorization: Bearer " + s.token(other, `"sub": "ann"`)},
		"anonymous role": {"POST", "/item", key, "Authorization: Bearer " + s.token(s.anon, `"sub": "ann"`)},
		"path":           {"POST", "/rpc/dressed", key, s.ann()},
		"method":         {"PATCH", "/item?id=eq.0", key, s.ann()},
		"key":            {"POST", "/item", strings.ToUpper(key), s.ann()},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.write(r[0], r[1], `{}`, r[2:]...)
			if a.StatusCode/100 != 2 || a.Header.Get("Idempotency-Replayed") != "" {
				t.Errorf("status %d, replayed: %q: %s", a.StatusCode, a.Header.Get("Idempotency-Replayed"), a.body)
			}
		})
	}
	s.write("POST", "/item", `{}`, key, s.ann()).check(t, 201, "", replayed)
}

func TestIdempotencyKeyOfAnotherRequest(t *testing.T) {
	s := serveOnce(t, onceSQL)
	s.write("POST", "/item", `{}`, key, s.ann()).check(t, 201, "")
	for name, r := range map[string][]string{
		"body":    {"/item", `{"name": "x"}`},
		"query":   {"/item?select=id", `{}`},
		"prefer":  {"/item", `{}`, representation},
		"accept":  {"/item", `{}`, acceptCSV},
		"cookies": {"/item", `{}`, "Cookie: session=1"},
	} {
		t.Run(name, func(t *testing.T) {
			s.write("POST", r[0], r[1], append(r[2:], key, s.ann())...).check(t, 422,
				`{"code":"SLIP112","details":"Query, body, Accept, Accept-Profile, Content-Profile, Content-Type, Cookie, If-Match, If-None-Match, Prefer must be those of the first one.",`+
					`"hint":"Use a new key for a new request","message":"The Idempotency-Key was used for another request"}`, executed)
		})
	}
	if got := s.value(countItem); got != "1" {
		t.Errorf("%s rows", got)
	}
}

func TestIdempotencyKeyThatCannotBeUsed(t *testing.T) {
	s := serveOnce(t, onceSQL)
	for _, c := range []struct{ message, hint, send string }{
		{"The Idempotency-Key cannot be used: it is empty", "*", "Idempotency-Key: " + `""`},
		{"The Idempotency-Key cannot be used: it is longer than 255 bytes", "*", "Idempotency-Key: " + strings.Repeat("k", 256)},
		{"An Idempotency-Key needs a caller who can be told from others", "Send a token with a sub, or leave the header away", key},
	} {
		who := s.ann()
		if c.send == key {
			who = "X-Nobody: 1"
		}
		a := s.write("POST", "/item", `{}`, who, c.send)
		a.check(t, 400, "*", "Proxy-Status: PostgREST; error=SLIP113")
		if !strings.Contains(a.body, c.message) || c.hint != "*" && !strings.Contains(a.body, c.hint) {
			t.Errorf("%s, want %s", a.body, c.message)
		}
	}
	// The token that all anonymous callers of an application share is nobody's.
	s.write("POST", "/item", `{}`, key, "Authorization: Bearer "+s.token(s.anon, `"iss": "app"`)).check(t, 400, "*")
	s.write("POST", "/item", `{}`, key, "Authorization: Bearer "+s.token(s.anon, `"ref": "app"`)).check(t, 400, "*")
	s.write("POST", "/item", `{}`, key, s.bearer(`"iss": "app", "aud": [], "iat": 1`)).check(t, 400, "*")
	s.write("POST", "/item", `{}`, s.ann(), key, key).check(t, 400, "*")
	if got := s.value(countItem); got != "0" {
		t.Errorf("%s rows", got)
	}
}

func TestIdempotencyKeyInFlight(t *testing.T) {
	s := serveOnce(t, gateSQL)
	first := make(chan answer)
	go func() {
		a, err := s.tryWrite("POST", "/rpc/slowly", `{"id": 1}`, key, s.ann())
		if err != nil {
			t.Error(err)
		}
		first <- a
	}()
	eventually(t, "the statement runs", func() bool { return s.active("%slowly%") })
	s.write("POST", "/rpc/slowly", `{"id": 1}`, key, s.ann()).check(t, 409,
		`{"code":"SLIP111","details":null,"hint":"Send it again later to get its answer","message":"A request with this Idempotency-Key is under way"}`,
		"Retry-After: 1")
	s.exec("insert into api.gate values (1)")
	(<-first).check(t, 200, "1", executed)
	s.write("POST", "/rpc/slowly", `{"id": 1}`, key, s.ann()).check(t, 200, "1", replayed)
}

// Of many that come at once one is done.
func TestIdempotencyKeyOfManyAtOnce(t *testing.T) {
	for _, path := range []string{"/rpc/add", "/rpc/levelled"} {
		t.Run(path, func(t *testing.T) {
			s := serveOnce(t, onceSQL, func(c *slipstream.Config) { c.DBPool = 20 })
			answers := make([]answer, 20)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					var err error
					if answers[i], err = s.tryWrite("POST", path, `{"name": "n"}`, key, s.ann()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			done := 0
			for _, a := range answers {
				switch {
				case a.StatusCode == 200 && a.Header.Get("Idempotency-Replayed") == "":
					done++
				case a.StatusCode == 200 && a.body == "1", a.StatusCode == 409 && strings.Contains(a.body, "SLIP111"):
				default:
					t.Errorf("%d %s", a.StatusCode, a.body)
				}
			}
			if got := s.value(countItem); done != 1 || got != "1" {
				t.Errorf("%d done, %s rows", done, got)
			}
		})
	}
}

// Writes that queue up for a connection share a transaction, but not those with a key.
func TestIdempotencyKeysInACrowd(t *testing.T) {
	s := serveOnce(t, onceSQL, onePlace)
	for _, want := range []string{executed, replayed} {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				a, err := s.tryWrite("POST", "/item", fmt.Sprintf(`{"name": "%d"}`, i), s.ann(), fmt.Sprintf("Idempotency-Key: %d", i))
				if err != nil {
					t.Error(err)
					return
				}
				a.check(t, 201, "", want)
			})
		}
		wg.Wait()
	}
	if rows, kept := s.value(countItem), s.value("select count(*) from slipstream.idempotency"); rows != "20" || kept != "20" {
		t.Errorf("%s rows, %s answers", rows, kept)
	}
}

// The condition of a request that is repeated held the first time, and does not any more.
func TestIdempotencyKeyWithACondition(t *testing.T) {
	s := serveOnce(t, onceSQL)
	s.exec("insert into api.item (name) values ('a')")
	const singular = "Accept: application/vnd.pgrst.object+json"
	tag := s.get("/item?name=eq.a", singular, s.ann()).Header.Get("Etag")
	send := []string{singular, representation, s.ann(), "If-Match: " + tag}
	first := s.write("PATCH", "/item?name=eq.a", `{"owner": "x"}`, append(send, key)...)
	first.check(t, 200, "*", executed)
	s.write("PATCH", "/item?name=eq.a", `{"owner": "x"}`, append(send, key)...).check(t, 200, first.body, replayed, "Etag: "+first.Header.Get("Etag"))
	s.write("PATCH", "/item?name=eq.a", `{"owner": "x"}`, append(send, "Idempotency-Key: 2")...).check(t, 412, "*", executed)
	send[3] = "If-Match: " + first.Header.Get("Etag")
	s.write("PATCH", "/item?name=eq.a", `{"owner": "x"}`, append(send, key)...).check(t, 422, "*", executed)
}

func TestIdempotencyKeyOfABatch(t *testing.T) {
	s := serveOnce(t, onceSQL)
	const body = `{"operations": [{"method": "POST", "path": "/item", "body": {}}]}`
	batch := []string{"Content-Type: application/vnd.slipstream.batch+json", s.ann()}
	s.write("POST", "/", body, append(batch, key)...).check(t, 400, "*", "Proxy-Status: PostgREST; error=SLIP113")
	s.write("POST", "/", body, batch...).check(t, 200, "*")
	if got := s.value(countItem); got != "1" {
		t.Errorf("%s rows", got)
	}
}

// What failed or was rolled back may be tried again.
func TestIdempotencyKeyOfWhatWasNotDone(t *testing.T) {
	s := serveOnce(t, onceSQL, func(c *slipstream.Config) { c.DBTxEnd = "commit-allow-override" })
	s.exec("insert into api.item (name) values ('taken')")
	s.write("POST", "/item", `{"name": "taken"}`, key, s.ann()).check(t, 409, "*", "Proxy-Status: PostgREST; error=23505")
	s.exec("delete from api.item")
	s.write("POST", "/item", `{"name": "taken"}`, key, s.ann()).check(t, 201, "", executed)

	singular := []string{"Accept: application/vnd.pgrst.object+json", representation, "Idempotency-Key: 2", s.ann()}
	s.write("PATCH", "/item?name=eq.none", `{"owner": "x"}`, singular...).check(t, 406, "*")
	s.exec("insert into api.item (name) values ('none')")
	s.write("PATCH", "/item?name=eq.none", `{"owner": "x"}`, singular...).check(t, 200, "*", executed)

	for range 2 {
		s.write("POST", "/item", `{"name": "dry"}`, "Prefer: tx=rollback", "Idempotency-Key: 3", s.ann()).check(t, 201, "", executed)
	}
	s.write("POST", "/item", `{"name": "dry"}`, "Idempotency-Key: 3", s.ann()).check(t, 201, "", executed)
	if got := s.value(countItem); got != "3" {
		t.Errorf("%s rows", got)
	}
}

// TestIdempotencyKeyAfterALostCommit is what all of it is for: who was not told what became of the request sends it again,
// and it is done once, whether the COMMIT takes effect or not.
func TestIdempotencyKeyAfterALostCommit(t *testing.T) {
	var b *chaos.Proxy
	s := serveOnce(t, onceSQL, func(c *slipstream.Config) { b = breakable(t, c) })
	halfOpenAtCommit(t, b)
	send := []string{key, s.ann(), representation}
	s.write("POST", "/item", `{"name": "a"}`, send...).check(t, 503,
		`{"code":"SLIP105","details":"It is not known whether the write took effect.","hint":"Send it again with the same Idempotency-Key: it is done once.",`+
			`"message":"The database connection was lost while the write was being committed"}`, "Retry-After: 1")
	breakAt(t, b)
	s.write("POST", "/item", `{"name": "a"}`, send...).check(t, 409, "*", "Retry-After: 1")
	s.exec("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'LOGIN' and backend_xid is not null")
	var a answer
	eventually(t, "the end of the lost transaction", func() bool {
		a = s.write("POST", "/item", `{"name": "a"}`, send...)
		return a.StatusCode != 409
	})
	a.check(t, 201, fmt.Sprintf(`[{"id":%s,"name":"a","owner":"%s"}]`, s.value("select id from api.item"), s.member), executed)
	s.write("POST", "/item", `{"name": "a"}`, send...).check(t, 201, "*", replayed)
	if got := s.value(countItem); got != "1" {
		t.Errorf("%s rows", got)
	}
}

func TestIdempotencyKeyExpires(t *testing.T) {
	s := serveOnce(t, onceSQL)
	age := func(interval string) {
		s.exec("update slipstream.idempotency set created_at = created_at - interval '" + interval + "'")
	}
	s.write("POST", "/item", `{}`, key, s.ann()).check(t, 201, "", executed)
	for i := range 30 {
		s.write("POST", "/item", `{}`, s.ann(), fmt.Sprintf("Idempotency-Key: %d", i)).check(t, 201, "")
	}
	age("23 hours 50 minutes")
	s.write("POST", "/item", `{}`, key, s.ann()).check(t, 201, "", replayed)
	age("10 minutes")
	s.write("POST", "/item", `{"name": "new"}`, key, s.ann()).check(t, 201, "", executed)
	s.write("POST", "/item", `{"name": "new"}`, key, s.ann()).check(t, 201, "", replayed)
	if got := s.value("select count(*) from slipstream.idempotency"); got != "21" {
		t.Errorf("%s answers are left of 31: one is new, and 10 of the others are cleared away", got)
	}
}

func TestIdempotencyKeyOfALargeAnswer(t *testing.T) {
	s := serveOnce(t, onceSQL)
	const largest = idemkey.MaxBody - 2 // quotes
	s.write("POST", "/rpc/large", fmt.Sprintf(`{"n": %d}`, largest), key, s.ann()).check(t, 200, "*")
	s.exec("delete from api.item")
	a := s.write("POST", "/rpc/large", fmt.Sprintf(`{"n": %d}`, largest), key, s.ann())
	if a.StatusCode != 200 || len(a.body) != idemkey.MaxBody {
		t.Errorf("%d, %d bytes", a.StatusCode, len(a.body))
	}
	send := []string{"Idempotency-Key: 2", s.ann()}
	s.write("POST", "/rpc/large", fmt.Sprintf(`{"n": %d}`, largest+1), send...).check(t, 200, "*")
	s.write("POST", "/rpc/large", fmt.Sprintf(`{"n": %d}`, largest+1), send...).check(t, 409,
		`{"code":"SLIP116","details":"It was answered with 200; bodies of more than 1048576 bytes are not kept.",`+
			`"hint":"Read what it wrote, or send Prefer: return=minimal with the next","message":"The request was done before, but its answer was too large to be kept"}`,
		executed)
	if got := s.value(countItem); got != "1" {
		t.Errorf("%s rows", got)
	}
}

// As with PostgREST, the header does nothing where nothing is installed, where it is switched off, and with methods
// that can be repeated anyway.
func TestIdempotencyKeyIsIgnored(t *testing.T) {
	twice := func(t *testing.T, s *site, method string, status int) {
		t.Helper()
		for range 2 {
			s.write(method, "/item?id=lt.3", `{}`, s.ann(), `Idempotency-Key: "`).check(t, status, "*", executed)
		}
	}
	s := serve(t, onceSQL)
	twice(t, s, "POST", 201)
	s.installKeys()
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	twice(t, s, "POST", 400)
	twice(t, s, "DELETE", 204)
	twice(t, s, "GET", 200)
	off := s.config
	off.IdempotencyKeys = "off"
	if err := s.ReloadConfig(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	twice(t, s, "POST", 201)
}

// Functions that disappear under a server that counts on them are its own trouble, not a 404.
func TestIdempotencyKeyAfterUninstall(t *testing.T) {
	s := serveOnce(t, onceSQL)
	s.write("POST", "/item", `{}`, key, s.ann()).check(t, 201, "")
	if err := idemkey.Uninstall(t.Context(), s.dsn); err != nil {
		t.Fatal(err)
	}
	s.write("POST", "/item", `{}`, "Idempotency-Key: 2", s.ann()).check(t, 500, "*", "Proxy-Status: PostgREST; error=SLIP500")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.write("POST", "/item", `{}`, "Idempotency-Key: 2", s.ann()).check(t, 201, "", executed)
}
