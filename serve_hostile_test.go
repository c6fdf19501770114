package slipstream_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const hostileSQL = `create table item (id int primary key, name text, data jsonb, parent int references item);
	insert into item values (1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '{}', null);`

// refused checks that an answer is a refusal that explains itself.
func (a answer) refused(t *testing.T) {
	t.Helper()
	var e struct{ Code, Message string }
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code == "" || e.Message == "" || a.StatusCode < 400 || a.StatusCode >= 500 {
		t.Errorf("%d %.300s", a.StatusCode, a.body)
	}
}

func nested(open, inner, shut string, depth int) string {
	return strings.Repeat(open, depth) + inner + strings.Repeat(shut, depth)
}

func repeated(n int, format, sep string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
	}
	return strings.Join(parts, sep)
}

// What a client can send wrong, or too much of, is refused with a reason: never a 5xx, never a closed connection.
func TestHostileRequests(t *testing.T) {
	s := serve(t, hostileSQL)
	for name, path := range map[string]string{
		"deep logic":              "/item?and=" + nested("(or", "(id.eq.1)", ")", 40),
		"deep embeds":             "/item?select=" + nested("item!parent(", "id", ")", 40),
		"deep parentheses":        "/item?select=" + nested("(", "", ")", 1000),
		"long JSON path":          "/item?select=data" + strings.Repeat("->a", 3000) + "&" + strings.Repeat("x->", 900) + "=eq.1",
		"many conditions":         "/item?" + repeated(600, "id=eq.#", "&"),
		"many fields":             "/item?select=" + repeated(2500, "a#:id", ","),
		"many order terms":        "/item?order=" + repeated(2500, "data->a#", ","),
		"many embeds":             "/item?select=" + repeated(2100, "a:part(i)", ","),
		"many aliases of one":     "/item?select=" + repeated(1000, "id", ","),
		"long name":               "/" + strings.Repeat("n", 5000),
		"long column":             "/item?" + strings.Repeat("c", 5000) + "=eq.1",
		"long alias":              "/item?select=" + strings.Repeat("a", 5000) + ":id",
		"long cast":               "/item?select=id::" + strings.Repeat("t", 5000),
		"long hint":               "/item?select=item!" + strings.Repeat("h", 5000) + "(id)",
		"long URL":                "/item?name=eq." + strings.Repeat("x", 40<<10),
		"NUL in a value":          "/item?name=eq.a%00b",
		"NUL in a name":           "/item%00",
		"NUL in a column":         "/item?na%00me=eq.1",
		"bytes that are no text":  "/item?name=eq.%ff%c0%80",
		"a lone surrogate":        "/item?name=eq.%ed%a0%80",
		"bytes in the path":       "/%ff",
		"number too large":        "/item?id=eq.99999999999999999999999999",
		"number of no end":        "/item?id=eq." + strings.Repeat("9", 10000),
		"exponent":                "/item?id=eq.1e999999999",
		"regular expression":      "/item?name=match.%5B",
		"repetition":              "/item?name=match.a%7B1,999999%7D",
		"back references":         "/item?name=match.(a)%5C9",
		"like of an escape":       "/item?name=like.%5C",
		"broken JSON":             "/item?data=eq.%7B",
		"deep JSON":               "/item?data=eq." + nested("%5B", "", "", 7000),
		"broken array":            "/item?id=eq(any).%7B1,%22",
		"text search":             "/item?name=fts.%28%28%28",
		"text search language":    "/item?name=fts(nosuch).a",
		"unknown operator":        "/item?id=zz.1",
		"no operator":             "/item?id=1",
		"unknown function":        "/rpc/" + strings.Repeat("f", 1000),
		"negative embedded limit": "/item?select=id,item!parent(id)&item.limit=-1",
	} {
		t.Run(name, func(t *testing.T) {
			a, err := s.try("GET", path)
			if err != nil {
				t.Fatal(err)
			}
			if a.StatusCode != 200 {
				a.refused(t)
			}
			if head := s.send("HEAD", path); head.StatusCode != a.StatusCode {
				t.Errorf("HEAD: %d, GET: %d", head.StatusCode, a.StatusCode)
			}
		})
	}
	s.get("/item?select=id").check(t, 200, `[{"id":1}]`)
}

// Bytes that no client library sends: net/http refuses some of them itself, in plain text and as a 400.
func TestHostileBytes(t *testing.T) {
	s := serve(t, hostileSQL)
	for name, request := range map[string]string{
		"control in the path":    "GET /it\x01em HTTP/1.1\r\nHost: x\r\n\r\n",
		"control in a header":    "GET /item HTTP/1.1\r\nHost: x\r\nPrefer: a\x01b\r\n\r\n",
		"NUL in a header":        "GET /item HTTP/1.1\r\nHost: x\r\nPrefer: a\x00b\r\n\r\n",
		"bytes in Prefer":        "GET /item HTTP/1.1\r\nHost: x\r\nPrefer: handling=strict, \xff\xfe\r\n\r\n",
		"bytes in the time zone": "GET /item HTTP/1.1\r\nHost: x\r\nPrefer: timezone=\xff\xfe\r\n\r\n",
		"bytes in Accept":        "GET /item HTTP/1.1\r\nHost: x\r\nAccept: \xff/\xfe\r\n\r\n",
		"bytes in the profile":   "GET /item HTTP/1.1\r\nHost: x\r\nAccept-Profile: \xff\r\n\r\n",
		"bytes in the token":     "GET /item HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe.\xff.\xff\r\n\r\n",
		"no host":                "GET /item HTTP/1.1\r\n\r\n",
		"two hosts":              "GET /item HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"space in the target":    "GET /item?a=b c HTTP/1.1\r\nHost: x\r\n\r\n",
		"broken escape":          "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"smuggled length":        "GET /item HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"a method of no name":    "GE(T /item HTTP/1.1\r\nHost: x\r\n\r\n",
		"a method in bytes":      "\xff\xfe /item HTTP/1.1\r\nHost: x\r\n\r\n",
		"a method of our making": "FROBNICATE /item HTTP/1.1\r\nHost: x\r\n\r\n",
		"all headers":            "GET /item HTTP/1.1\r\nHost: x\r\n" + repeated(500, "X-#: 1", "\r\n") + "\r\n\r\n",
		"long header":            "GET /item HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n",
		"many cookies":           "GET /item?id=eq.x HTTP/1.1\r\nHost: x\r\nCookie: " + repeated(5000, "a#=b", "; ") + "\r\n\r\n",
		"asterisk":               "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
		"connect":                "CONNECT item:80 HTTP/1.1\r\nHost: item:80\r\n\r\n",
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
				t.Fatalf("no answer: %v", err)
			}
			defer response.Body.Close()
			if response.StatusCode < 400 || response.StatusCode >= 500 {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
	s.get("/item?select=id").check(t, 200, `[{"id":1}]`)
}
