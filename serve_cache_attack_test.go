package slipstream_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const cachedSQL = `
	create table item (id int primary key, name text, price int, owner text);
	insert into item select i, 'item ' || i, i * 10, case when i % 2 = 0 then 'ann' else 'bob' end from generate_series(1, 200) i;
	create table "a""b/c" (id int primary key); insert into "a""b/c" values (1);
	create table "rpc" (id int primary key);
	create table own (id int primary key, owner text); insert into own select i, case when i % 2 = 0 then 'ann' else 'bob' end from generate_series(1, 10) i;
	alter table own enable row level security;
	create policy own on own using (owner = current_setting('request.jwt.claims', true)::json->>'sub');
	create table tenant (id int primary key, name text); insert into tenant values (1, 'a'), (2, 'b');
	alter table tenant enable row level security;
	create policy tenant on tenant using (name = current_setting('request.headers', true)::json->>'x-tenant');
	create table cookie (id int primary key, name text); insert into cookie values (1, 'a'), (2, 'b');
	alter table cookie enable row level security;
	create policy cookie on cookie using (name = current_setting('request.cookies', true)::json->>'who');
	create table header (id int primary key, name text); insert into header values (1, 'a'), (2, 'b');
	alter table header enable row level security;
	create policy header on header using (current_setting('request.headers', true) like '%"' || name || '"%');
	create table method (id int primary key, name text); insert into method values (1, 'GET'), (2, 'HEAD');
	alter table method enable row level security;
	create policy method on method using (name = current_setting('request.method', true));
	create table conditional (id int primary key, tag text); insert into conditional values (1, '"x"'), (2, '"y"');
	alter table conditional enable row level security;
	create policy conditional on conditional using (tag = current_setting('request.headers', true)::json->>'if-none-match');`

// raw sends a request as it is, and reads the answer. Go's client would tidy its target.
func raw(t *testing.T, address, text string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := strings.ReplaceAll(strings.TrimSpace(text), "\n", "\r\n") + "\r\nConnection: close\r\n\r\n"
	if !strings.Contains(head, "\r\nHost:") {
		head = strings.Replace(head, "\r\n", "\r\nHost: localhost\r\n", 1)
	}
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return answer{response, string(body)}
}

// essence is what must be the same with and without a cache.
func (a answer) essence() string {
	out := fmt.Sprintf("%d %s", a.StatusCode, a.body)
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		switch name {
		case "Cache-Status", "Cache-Control", "Age", "Date", "X-Request-Id", "Etag", "Content-Length":
		case "Vary":
			if vary := strings.TrimSuffix(strings.Join(a.Header[name], ", "), "Accept-Encoding"); vary != "" {
				out += "\n" + name + ": " + strings.TrimSuffix(vary, ", ")
			}
		default:
			out += "\n" + name + ": " + strings.Join(a.Header[name], " | ")
		}
	}
	return out
}

// attacks are requests of which no two may be taken for the same unless they get the same answer. TOKEN and OTHER are two
// callers' tokens.
const attacks = `
GET /item?id=eq.1 HTTP/1.1

HEAD /item?id=eq.1 HTTP/1.1

GET /item?id=eq.1&select=id HTTP/1.1

GET /item?id=eq.1%26select=id HTTP/1.1

GET /item?id=eq.1;select=id HTTP/1.1

GET /item?select=id&id=eq.1 HTTP/1.1

GET /item?id=eq.%31 HTTP/1.1

GET /item?id=eq.1+ HTTP/1.1

GET /item?name=eq.item+1 HTTP/1.1

GET /item?name=eq.item%201 HTTP/1.1

GET /item?name=eq.item%2B1 HTTP/1.1

GET /item?name=eq.item%2b1 HTTP/1.1

GET /item?id=eq.1#?id=eq.2 HTTP/1.1

GET /item/?id=eq.1 HTTP/1.1

GET //item?id=eq.1 HTTP/1.1

GET /./item?id=eq.1 HTTP/1.1

GET /x/../item?id=eq.1 HTTP/1.1

GET /%69tem?id=eq.1 HTTP/1.1

GET /item%3Fid=eq.1 HTTP/1.1

GET /item%2F?id=eq.1 HTTP/1.1

GET /item%00?id=eq.1 HTTP/1.1

GET http://elsewhere/item?id=eq.1 HTTP/1.1
Host: elsewhere

GET /a"b%2fc HTTP/1.1

GET /a%22b/c HTTP/1.1

GET /a%22b%2Fc HTTP/1.1

GET /a%22b%252Fc HTTP/1.1

GET /rpc HTTP/1.1

GET /rpc/ HTTP/1.1

GET /rpc%2f HTTP/1.1

GET / HTTP/1.1

GET /item?id=lte.5&order=id HTTP/1.1
Range: 0-1

GET /item?id=lte.5&order=id HTTP/1.1
Range: 1-2

GET /item?id=lte.5&order=id HTTP/1.1
Range: 0-1
Range: 1-2

GET /item?id=lte.5&order=id HTTP/1.1
Range: 9-1

GET /item?id=lte.5&order=id HTTP/1.1
Range: 9-10
Prefer: count=exact

HEAD /item?id=lte.5&order=id HTTP/1.1
Range: 0-1

HEAD /item?id=lte.5&order=id HTTP/1.1
Range: 9-1

GET /item?id=lte.5&order=id HTTP/1.1

GET /item?id=lte.5&order=id HTTP/1.1
Prefer: count=exact

GET /item?id=lte.5&order=id HTTP/1.1
Prefer: count=exact
Prefer: handling=strict

GET /item?id=lte.5&order=id HTTP/1.1
Prefer: count=exact, handling=strict, no=such

GET /item?id=eq.1 HTTP/1.1
Accept: text/csv

GET /item?id=eq.1 HTTP/1.1
Accept: application/vnd.pgrst.object+json

GET /item?id=eq.0 HTTP/1.1
Accept: application/vnd.pgrst.object+json

GET /item?id=eq.1 HTTP/1.1
Accept: text/csv;q=0.1
Accept: application/json

GET /item?id=eq.1 HTTP/1.1
Accept: image/png

GET /item?id=eq.1 HTTP/1.1
Accept-Profile: public

GET /item?id=eq.1 HTTP/1.1
Accept-Profile: api

GET /item?id=eq.1 HTTP/1.1
Authorization: Bearer TOKEN

GET /item?id=eq.1 HTTP/1.1
Authorization: Bearer TOKENx

GET /item?id=eq.1 HTTP/1.1
If-None-Match: x

GET /own HTTP/1.1

GET /own HTTP/1.1
Authorization: Bearer TOKEN

GET /own HTTP/1.1
Authorization: Bearer OTHER

GET /own HTTP/1.1
Authorization: Bearer OTHER
Authorization: Bearer TOKEN

HEAD /own HTTP/1.1
Authorization: Bearer TOKEN

GET /tenant HTTP/1.1

GET /tenant HTTP/1.1
X-Tenant: a

GET /tenant HTTP/1.1
x-tenant: b

GET /tenant HTTP/1.1
X-Tenant: a
X-Tenant: b

GET /tenant HTTP/1.1
X-Tenant:

GET /header HTTP/1.1
Host: a

GET /header HTTP/1.1
Host: b

GET /header HTTP/1.1
X-Any: a

GET /header HTTP/1.1
X-Other: b

GET /cookie HTTP/1.1
Cookie: who=a

GET /cookie HTTP/1.1
Cookie: who=b; x=y

GET /cookie HTTP/1.1
Cookie: who=b
Cookie: who=a

GET /method HTTP/1.1

HEAD /method HTTP/1.1

GET /conditional HTTP/1.1

GET /conditional HTTP/1.1
If-None-Match: "x"

GET /conditional HTTP/1.1
If-None-Match: "y"
`

// Whatever callers ask, in whatever order, and however often: they get what they would get without a cache.
func TestAttackAnotherCallersAnswer(t *testing.T) {
	s := serveCached(t, cachedSQL)
	plain := &site{t: t, dsn: s.dsn, config: s.config}
	plain.config.CacheMode = "off"
	plain.run()
	plain.ready()
	tokens := strings.NewReplacer("TOKEN", s.token(s.member, `"sub":"ann"`), "OTHER", s.token(s.member, `"sub":"bob"`))
	requests := strings.Split(strings.TrimSpace(attacks), "\n\n")
	want := make([]string, len(requests))
	for i := range requests {
		requests[i] = tokens.Replace(requests[i])
		want[i] = raw(t, plain.Addr(), requests[i]).essence()
	}
	for range 4 {
		for _, i := range rand.Perm(len(requests)) {
			a := raw(t, s.Addr(), requests[i])
			if got := a.essence(); got != want[i] {
				t.Errorf("%s\n%s:\n%s\nwithout a cache:\n%s", requests[i], a.Header.Get("Cache-Status"), got, want[i])
			}
		}
	}
	if st := s.CacheStatus(); st.Hits < 50 {
		t.Errorf("too few hits for this to say anything: %+v", st)
	}
}

// A HEAD with a Range that nobody could fulfil says nothing of the GET.
func TestAttackHeadWithARangeKeepsGetFromTheCache(t *testing.T) {
	s := serveCached(t, cachedSQL)
	s.send("HEAD", "/item?limit=3", "Range: 9-1")
	s.get("/item?limit=3").check(t, 200, "*")
	s.hit("/item?limit=3")
}

// What the policies look at of the headers is part of the key; the rest of them, which differs each time, is not.
func TestPolicyOnAHeaderIsCached(t *testing.T) {
	s := serveCached(t, cachedSQL)
	s.get("/tenant", "X-Tenant: a", "X-Request-Id: 1")
	s.hit("/tenant", "X-Tenant: a", "X-Request-Id: 2").check(t, 200, `[{"id":1,"name":"a"}]`, "X-Request-Id: 2")
	s.hit("/tenant", "X-Tenant: b").check(t, 200, `[{"id":2,"name":"b"}]`)
	s.hit("/cookie", "Cookie: who=a").check(t, 200, `[{"id":1,"name":"a"}]`)
}

// Who got a row encoded may write it back with the ETag that came with it.
func TestIfMatchOfAnEncodedAnswer(t *testing.T) {
	s := serveCached(t, `create table doc (id int primary key, body text); insert into doc values (1, repeat('x', 5000));`)
	s.exec("grant update on api.doc to ANON")
	for i, encoding := range []string{"gzip", "zstd", "br"} {
		row := s.hit("/doc?id=eq.1", singular, "Accept-Encoding: "+encoding)
		tag := row.Header.Get("ETag")
		if !strings.HasSuffix(tag, "-"+encoding+`"`) || row.Header.Get("Content-Encoding") != encoding {
			t.Fatalf("ETag %s, Content-Encoding %s", tag, row.Header.Get("Content-Encoding"))
		}
		s.get("/doc?id=eq.1", singular, "If-Match: "+tag).check(t, 200, "*")
		s.get("/doc?id=eq.1", singular, "If-None-Match: "+tag, "Cache-Control: no-cache").check(t, 304, "")
		body := fmt.Sprintf(`{"body": "%s%d"}`, strings.Repeat("x", 5000), i)
		s.write("PATCH", "/doc?id=eq.1", body, "If-Match: W/"+tag).check(t, 412, "*")
		s.write("PATCH", "/doc?id=eq.1", body, "If-Match: "+tag).check(t, 204, "")
		s.write("PATCH", "/doc?id=eq.1", body, "If-Match: "+tag).check(t, 412, "*")
		s.get("/doc?id=eq.1", singular, "If-None-Match: "+tag).check(t, 200, "*")
	}
}

// CORS is said to each caller, whatever is said to the one before.
func TestCORSOfAHit(t *testing.T) {
	s := serveCached(t, cachedSQL, func(c *slipstream.Config) {
		c.ServerCORSAllowedOrigins = []string{"https://a.example", "https://b.example"}
	})
	s.hit("/item?id=eq.1", "Origin: https://a.example").check(t, 200, "*", "Access-Control-Allow-Origin: https://a.example")
	s.hit("/item?id=eq.1", "Origin: https://b.example").check(t, 200, "*", "Access-Control-Allow-Origin: https://b.example")
	s.hit("/item?id=eq.1").check(t, 200, "*", "Access-Control-Allow-Origin:", "Vary: Accept, Prefer, Range | Accept-Encoding")
	s.hit("/item?id=eq.1", "Origin: https://c.example").check(t, 200, "*", "Access-Control-Allow-Origin:")
}

func TestServerTimingOfAHitIsItsOwn(t *testing.T) {
	s := serveCached(t, cachedSQL, func(c *slipstream.Config) { c.ServerTimingEnabled = true })
	timing := s.hit("/item?id=eq.1").Header.Values("Server-Timing")
	if len(timing) != 1 || !strings.Contains(timing[0], "transaction;dur=0.0,") {
		t.Errorf("Server-Timing: %q", timing)
	}
}

// That there is nothing is kept as well, and until there is something.
func TestNegativeAnswersAreKept(t *testing.T) {
	s := serveCached(t, cachedSQL)
	exact := []string{"Prefer: count=exact", "Range: 9-10"}
	s.hit("/item?id=eq.1000").check(t, 200, `[]`)
	s.hit("/item?id=eq.1000&select=id", singular).check(t, 406, "*", "Proxy-Status: PostgREST; error=PGRST116")
	s.hit("/item?id=gte.1000", exact...).check(t, 416, "*", "Content-Range: */0")
	s.exec("insert into api.item select i, 'new' from generate_series(1000, 1011) i")
	for path, c := range map[string]struct {
		headers []string
		status  int
	}{
		"/item?id=eq.1000":           {nil, 200},
		"/item?id=eq.1000&select=id": {[]string{singular}, 200},
		"/item?id=gte.1000":          {exact, 206},
	} {
		eventually(t, path+" has the rows", func() bool {
			a := s.get(path, c.headers...)
			return a.StatusCode == c.status && strings.Contains(a.body, `"id":10`)
		})
	}
	s.hit("/item?id=gte.1000&limit=3", exact[0]).check(t, 206, "*", "Content-Range: 0-2/12")
	for range 2 {
		s.get("/nothing").check(t, 404, "*") // what is not there at all is not kept
	}
}
