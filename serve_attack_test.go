package slipstream_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

const attackSQL = hostileSQL + grantSQL + `
	create schema private;
	create table private.canary (secret text);
	insert into private.canary values ('S3CR3T');
	create table api.seen (who text, claims text, path text, headers text);
	grant insert, select on api.seen to ANON, MEMBER;
	create function api.note() returns text volatile language sql as $$
		insert into api.seen values (current_user, current_setting('request.jwt.claims', true), current_setting('request.path', true), current_setting('request.headers', true))
		returning who $$;
	create function api.add(a int, b text default '') returns int immutable language sql as 'select a';`

// unharmed checks that nothing was read or done that the attack was after.
func (s *site) unharmed(t *testing.T, a answer) {
	t.Helper()
	if strings.Contains(a.body, "S3CR3T") || strings.Contains(fmt.Sprint(a.Header), "S3CR3T") {
		t.Errorf("it tells the secret: %s", a.body)
	}
	if a.StatusCode >= 500 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if got := s.value("select string_agg(secret, ' ') from private.canary"); got != "S3CR3T" {
		t.Errorf("the canary says %q", got)
	}
}

var injections = []string{
	`'; drop table private.canary; --`,
	`"; drop table private.canary; --`,
	`\'; drop table private.canary; --`,
	`''); delete from private.canary; --`,
	`x" from private.canary --`,
	`x') union select secret from private.canary --`,
	`x")) union all select secret::json from private.canary --`,
	`$$; delete from private.canary; $$`,
	`$1) or true; delete from private.canary; --`,
	`*/ delete from private.canary /*`,
	`text) from private.canary; --`,
	`(select secret from private.canary)`,
	`private.canary`,
	`pg_read_file('/etc/passwd')`,
	"x\n; delete from private.canary; --",
	"\u02bc; delete from private.canary; --",
	`U&"\0022"; delete from private.canary; --`,
	`%27%3B delete from private.canary; --`,
}

// TestSQLInjection goes through every place of a request that ends up in a statement.
func TestSQLInjection(t *testing.T) {
	s := serve(t, attackSQL)
	type place struct {
		method, path string
		headers      []string
		body         string
	}
	for _, attack := range injections {
		q := url.QueryEscape(attack)
		p := strings.ReplaceAll(url.PathEscape(attack), "/", "%2F")
		quoted := fmt.Sprintf("%q", attack)
		header := strings.NewReplacer("\n", " ", "\u02bc", "'").Replace(attack)
		for name, at := range map[string]place{
			"relation":           {"GET", "/" + p, nil, ""},
			"function":           {"GET", "/rpc/" + p, nil, ""},
			"column":             {"GET", "/item?" + q + "=eq.1", nil, ""},
			"selected column":    {"GET", "/item?select=" + q, nil, ""},
			"quoted column":      {"GET", "/item?select=" + url.QueryEscape(quoted), nil, ""},
			"alias":              {"GET", "/item?select=" + url.QueryEscape(quoted) + ":id", nil, ""},
			"cast":               {"GET", "/item?select=id::" + q, nil, ""},
			"aggregate":          {"GET", "/item?select=id." + q + "()", nil, ""},
			"JSON path":          {"GET", "/item?select=data->" + q, nil, ""},
			"JSON path, text":    {"GET", "/item?select=data->>" + url.QueryEscape(quoted), nil, ""},
			"JSON path filter":   {"GET", "/item?data->>" + q + "=eq.1", nil, ""},
			"embed":              {"GET", "/item?select=id," + q + "(id)", nil, ""},
			"embed's alias":      {"GET", "/item?select=" + url.QueryEscape(quoted) + ":item!parent(id)", nil, ""},
			"hint":               {"GET", "/item?select=item!" + q + "(id)", nil, ""},
			"value":              {"GET", "/item?name=eq." + q, nil, ""},
			"number":             {"GET", "/item?id=eq." + q, nil, ""},
			"list":               {"GET", "/item?name=in.(" + url.QueryEscape(quoted) + ")", nil, ""},
			"any":                {"GET", "/item?name=like(any).{" + url.QueryEscape(quoted) + "}", nil, ""},
			"is":                 {"GET", "/item?name=is." + q, nil, ""},
			"operator":           {"GET", "/item?name=" + q + ".x", nil, ""},
			"language":           {"GET", "/item?name=fts(" + q + ").x", nil, ""},
			"regular expression": {"GET", "/item?name=match." + q, nil, ""},
			"logic":              {"GET", "/item?or=(name.eq." + url.QueryEscape(quoted) + ",id.eq." + q + ")", nil, ""},
			"order":              {"GET", "/item?order=" + q, nil, ""},
			"order direction":    {"GET", "/item?order=id." + q, nil, ""},
			"limit":              {"GET", "/item?limit=" + q, nil, ""},
			"offset":             {"GET", "/item?offset=" + q, nil, ""},
			"argument":           {"GET", "/rpc/add?a=1&b=" + q, nil, ""},
			"argument's name":    {"GET", "/rpc/add?a=1&" + q + "=1", nil, ""},
			"columns":            {"POST", "/item?columns=" + q, nil, `{"id": 2}`},
			"on_conflict":        {"POST", "/item?on_conflict=" + q, []string{"Prefer: resolution=merge-duplicates"}, `{"id": 1}`},
			"key of a body":      {"POST", "/item", nil, `{` + quoted + `: 1}`},
			"value of a body":    {"PATCH", "/item?id=eq.1", nil, `{"name": ` + quoted + `}`},
			"CSV header":         {"POST", "/item", []string{"Content-Type: text/csv"}, `"` + strings.ReplaceAll(attack, `"`, `""`) + "\"\n1\n"},
			"form":               {"POST", "/item", []string{"Content-Type: application/x-www-form-urlencoded"}, q + "=" + q},
			"profile":            {"GET", "/item", []string{"Accept-Profile: " + header}, ""},
			"time zone":          {"GET", "/item", []string{"Prefer: timezone=" + header}, ""},
			"media type":         {"GET", "/item", []string{"Accept: " + header}, ""},
			"a header":           {"POST", "/rpc/note", []string{"X-Attack: " + header, "Cookie: a=" + header, "User-Agent: " + header}, ""},
			"path in a setting":  {"POST", "/rpc/note?" + q, nil, ""},
			"a claim":            {"POST", "/rpc/note", []string{s.bearer(`"name": ` + quoted)}, ""},
			"cursor":             {"GET", "/item?order=id&limit=1&cursor=" + q, []string{"Prefer: pagination=cursor"}, ""},
			"batch":              {"POST", "/", []string{"Content-Type: application/vnd.slipstream.batch+json"}, fmt.Sprintf(`{"operations": [{"method": "GET", "path": %q}]}`, "/item?name=eq."+q)},
		} {
			a, err := s.tryWrite(at.method, at.path, at.body, append([]string{"Content-Type: application/json"}, at.headers...)...)
			if err != nil { // a header or path that Go's client does not send
				continue
			}
			t.Run(name+" "+attack, func(t *testing.T) { s.unharmed(t, a) })
		}
	}
	if got := s.value("select count(*) from api.item"); got == "0" {
		t.Error("nothing is left")
	}
}

// TestRoleEscape: only the role of a token that was verified counts.
func TestRoleEscape(t *testing.T) {
	s := serve(t, attackSQL)
	forged := strings.Split(s.token(s.member), ".")
	for name, headers := range map[string][]string{
		"a role that the server's may not take": {"Authorization: Bearer " + s.token("postgres")},
		"the server's own role":                 {"Authorization: Bearer " + s.token(s.login) + "x"},
		"another signature":                     {"Authorization: Bearer " + forged[0] + "." + forged[1] + ".AAAA"},
		"no signature":                          {"Authorization: Bearer eyJhbGciOiJub25lIn0." + forged[1] + "."},
		"a role of two lines":                   {"Authorization: Bearer " + s.token("x\\\"; reset role; --")},
	} {
		a := s.write("POST", "/rpc/note", "", headers...)
		if a.StatusCode < 400 || a.StatusCode >= 500 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	if got := s.value("select count(*) from api.seen"); got != "0" {
		t.Errorf("%s calls got through", got)
	}
}

// TestClaimsSpoofing: what a client writes into headers with the names of settings stays in request.headers.
func TestClaimsSpoofing(t *testing.T) {
	s := serve(t, attackSQL)
	s.write("POST", "/rpc/note", "", "Role: "+s.member, "Request.Jwt.Claims: {\"role\":\"admin\"}", "Request-Jwt-Claims: {}",
		"X-Hasura-Role: admin", "Cookie: role=admin; request.jwt.claims=x", "Search_path: private").check(t, 200, `"`+s.anon+`"`)
	if got := s.value("select who || ' ' || claims || ' ' || path from api.seen"); got != s.anon+` {"role":"`+s.anon+`"} /rpc/note` {
		t.Error(got)
	}
}

// TestHeaderInjection: what comes back of a request in headers cannot end a line.
func TestHeaderInjection(t *testing.T) {
	s := serve(t, attackSQL+`create table api.word (name text primary key); grant insert, select on api.word to ANON;`)
	const attack = "x\r\nSet-Cookie: a=b\r\n\r\n<html>"
	for _, a := range []answer{
		s.write("POST", "/word", fmt.Sprintf(`{"name": %q}`, attack), "Content-Type: application/json", "Prefer: return=headers-only"),
		s.get("/item?name=eq." + url.QueryEscape(attack)),
		s.get("/item?select=" + url.QueryEscape(fmt.Sprintf("%q", attack)) + ":id"),
		s.get("/" + url.PathEscape(attack)),
		s.get("/item?order=id&limit=1&name=not.eq."+url.QueryEscape(attack), "Prefer: pagination=cursor"),
	} {
		if a.Header.Get("Set-Cookie") != "" || strings.Contains(fmt.Sprint(a.Header), "\n") {
			t.Errorf("headers %q", a.Header)
		}
	}
}

// TestRequestSmuggling: no two readers may find different ends of a request.
func TestRequestSmuggling(t *testing.T) {
	s := serve(t, attackSQL)
	const inner = "POST /rpc/note HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
	for name, request := range map[string]string{
		"length and chunks":    "POST /rpc/add HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"two lengths":          "POST /rpc/add HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 70\r\n\r\n" + inner,
		"a length with a sign": "POST /rpc/add HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + inner,
		"an unknown coding":    "POST /rpc/add HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n" + inner,
		"a folded header":      "POST /rpc/add HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"space before a colon": "POST /rpc/add HTTP/1.1\r\nHost: x\r\nContent-Length : 70\r\n\r\n" + inner,
		"a bare line feed":     "POST /rpc/add HTTP/1.1\r\nHost: x\r\nX: a\nTransfer-Encoding : chunked\r\n\r\n" + inner,
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.DialTimeout("tcp", s.Addr(), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte(request)); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			eventually(t, "the connection ends", func() bool {
				_ = conn.SetReadDeadline(time.Now().Add(time.Second))
				_, err := conn.Read(make([]byte, 4096))
				return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
			})
			if got := s.value("select count(*) from api.seen"); got != "0" {
				t.Errorf("%s smuggled calls", got)
			}
		})
	}
	if got := s.value("select count(*) from api.seen"); got != "0" {
		t.Errorf("%s smuggled calls", got)
	}
}

// TestDecompressionBomb: bodies are taken as they are. What is compressed is refused, not unpacked.
func TestDecompressionBomb(t *testing.T) {
	s := serve(t, attackSQL)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write([]byte(`{"id": 2, "name": "` + strings.Repeat("x", 50<<20) + `"}`)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a := s.write("POST", "/item", bomb.String(), "Content-Type: application/json", "Content-Encoding: gzip")
	if a.refused(t); s.value("select count(*) from api.item") != "1" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestReDoS: a pattern that takes for ever ends with the role's statement_timeout, and costs one connection until then.
func TestReDoS(t *testing.T) {
	s := serve(t, attackSQL+"insert into api.item select 2, string_agg(i::text, ''), null, null from generate_series(1, 1000) i; alter role ANON set statement_timeout = '300ms';")
	a := s.get("/item?name=match." + url.QueryEscape(`^(.+)(.+)(.+)(.+)\1\2\3\4$`))
	if !strings.Contains(a.body, "57014") {
		t.Errorf("%d %.300s", a.StatusCode, a.body)
	}
	s.get("/item?id=eq.1&select=id").check(t, 200, `[{"id":1}]`)
}

// TestErrorsTellNoSecrets: neither of other relations, nor of the server and its configuration.
func TestErrorsTellNoSecrets(t *testing.T) {
	s := serve(t, attackSQL+`
		create function api.fails() returns int language plpgsql security definer as $$ begin return (select length(secret) from private.canary) / 0; end $$;`)
	for _, path := range []string{"/canary", "/private.canary", "/rpc/fails", "/item?id=eq.x", "/item?select=nothing", "/item?select=id::$$", "/item?select=id::text $a$", "/rpc/add?a=x"} {
		a := s.get(strings.ReplaceAll(path, " ", "%20"))
		s.unharmed(t, a)
		for _, secret := range []string{jwtSecret, s.dsnAs(s.login), s.login, "SELECT ", "slip_", "select secret", ".go:"} {
			if strings.Contains(a.body, secret) {
				t.Errorf("%s: %s", path, a.body)
			}
		}
	}
}
