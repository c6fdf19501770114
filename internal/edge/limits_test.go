package edge_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/edge"
)

func TestLimits(t *testing.T) {
	limits := edge.Limits{URLBytes: 100, HeaderBytes: 300, HeaderCount: 10}
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	srv := plain(t, ok, edge.Limit(limits, apierr.Verbose))
	var many []string
	for range 11 {
		many = append(many, "X-A", "1")
	}
	tests := []struct {
		name   string
		method string
		path   string
		header []string
		status int
		body   string
	}{
		{name: "within", method: "GET", path: "/?a=" + strings.Repeat("x", 96), status: 204},
		{
			name: "long URL", method: "GET", path: "/?a=" + strings.Repeat("x", 97), status: 414,
			body: `{"code":"SLIP102","details":"It has 101 bytes; the limit is 100","hint":null,"message":"The URL is too long"}`,
		},
		{name: "long URL of HEAD", method: "HEAD", path: "/?a=" + strings.Repeat("x", 97), status: 414},
		{
			name: "many headers", method: "GET", path: "/", header: many, status: 431,
			body: `{"code":"SLIP101","details":"There are 13; the limit is 10","hint":null,"message":"Too many request headers"}`,
		},
		{
			name: "large headers", method: "GET", path: "/", status: 431,
			header: []string{"X-A", strings.Repeat("x", 300), "User-Agent", "u", "Accept-Encoding", "e"},
			body:   `{"code":"SLIP101","details":"They have 330 bytes; the limit is 300","hint":null,"message":"The request headers are too large"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := srv.do(t, tt.method, tt.path, tt.header...)
			if res.StatusCode != tt.status || body != tt.body {
				t.Errorf("got %d %s\nwant %d %s", res.StatusCode, body, tt.status, tt.body)
			}
			if tt.status == 204 {
				return
			}
			if got := res.Header.Get("Proxy-Status"); !strings.HasPrefix(got, "PostgREST; error=SLIP10") {
				t.Errorf("Proxy-Status: %q", got)
			}
			if got := res.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type: %q", got)
			}
			if res.ContentLength <= 0 {
				t.Errorf("Content-Length: %d", res.ContentLength)
			}
		})
	}
}

// What is far over the limits, net/http refuses before a handler sees it: still a 4xx.
func TestHardLimit(t *testing.T) {
	limits := edge.Limits{URLBytes: 100, HeaderBytes: 100}
	srv := serve(t, edge.ServerOptions{Limits: limits}, func(*edge.Server) http.Handler { return http.NotFoundHandler() })
	conn, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("x", 1<<16) + "\r\n\r\n"
	go func() { _, _ = io.WriteString(conn, request) }()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

// What comes behind a request whose end a proxy in front may see elsewhere is not taken for the next one, whatever the answer is.
func TestNothingIsReadBehindAnUnclearEnd(t *testing.T) {
	asked := make(chan string, 100)
	srv := plain(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		if r.URL.Path == "/panic" {
			panic("of the test")
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}), edge.Recover(discard(), apierr.Verbose), edge.Limit(edge.Limits{URLBytes: 100}, apierr.Verbose))
	const smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, path := range []string{"/", "/panic", "/" + strings.Repeat("x", 100)} {
		for name, head := range map[string]string{
			"length and chunks":            " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
			"chunks of 1.0":                " HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
			"length and chunks of 1.0":     " HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
			"no encoding that can be seen": " HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
		} {
			c := srv.dial(t)
			c.send(t, "POST "+path+head+smuggled)
			if res, body := c.receive(); res == nil || !res.Close {
				t.Errorf("%.10s, %s: %v %s", path, name, res, body)
			}
			if res, body := c.receive(); res != nil {
				t.Errorf("%.10s, %s: then %v %s", path, name, res, body)
			}
		}
	}
	close(asked)
	for path := range asked {
		if path == "/smuggled" {
			t.Error("the smuggled request was answered")
		}
	}
}
