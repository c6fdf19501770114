package loadtest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// once answers the first request of each connection and closes it then.
func once(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if awaitRequest(conn) {
			io.WriteString(conn, text)
		}
	}
}

// awaitRequest reads the header of a request.
func awaitRequest(conn net.Conn) bool {
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadSlice('\n')
		if err != nil || len(line) == 2 {
			return err == nil
		}
	}
}

func TestAnswersOfHTTP1(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, method, text string
		want               loadtest.Answer
	}{
		{"length", "GET", ok + "Content-Length: 5\r\n\r\nhello", loadtest.Answer{Status: 200, Body: []byte("hello"), Keep: true}},
		{"chunks", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", loadtest.Answer{Status: 200, Body: []byte("hello"), Keep: true}},
		{"trailer", "GET", ok + "Transfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n", loadtest.Answer{Status: 200, Body: []byte("hello"), Keep: true}},
		{"until the end", "GET", ok + "\r\nhello", loadtest.Answer{Status: 200, Body: []byte("hello")}},
		{"HEAD", "HEAD", ok + "Content-Length: 5\r\n\r\n", loadtest.Answer{Status: 200, Keep: true}},
		{"HEAD with chunks", "HEAD", ok + "Transfer-Encoding: chunked\r\n\r\n", loadtest.Answer{Status: 200, Keep: true}},
		{"204", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", loadtest.Answer{Status: 204, Keep: true}},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", loadtest.Answer{Status: 304, Keep: true}},
		{"hints first", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n", loadtest.Answer{Status: 200, Keep: true}},
		{"no reason", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", loadtest.Answer{Status: 200, Keep: true}},
		{"close", "GET", ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", loadtest.Answer{Status: 200, Body: []byte("hello")}},
		{"close in a list", "GET", ok + "Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello", loadtest.Answer{Status: 200, Body: []byte("hello")}},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", loadtest.Answer{Status: 200, Body: []byte("hello")}},
		{"HTTP/1.0, kept", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", loadtest.Answer{Status: 200, Body: []byte("hello"), Keep: true}},
		{"another protocol", "GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", loadtest.Answer{Status: 101}},
		{"nothing", "GET", "", loadtest.Answer{Problem: "cut off"}},
		{"cut off in the header", "GET", ok + "Content-", loadtest.Answer{Problem: "cut off"}},
		{"cut off in the body", "GET", ok + "Content-Length: 5\r\n\r\nhel", loadtest.Answer{Problem: "cut off"}},
		{"cut off in a chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", loadtest.Answer{Problem: "cut off"}},
		{"cut off between chunks", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", loadtest.Answer{Problem: "cut off"}},
		{"cut off before the trailer", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", loadtest.Answer{Problem: "cut off"}},
		{"SSH", "GET", "SSH-2.0-OpenSSH_9.2\r\n", loadtest.Answer{Problem: "not HTTP"}},
		{"no status", "GET", "HTTP/1.1 fine\r\n\r\n", loadtest.Answer{Problem: "not HTTP"}},
		{"a bad field", "GET", ok + "a b c\r\n\r\n", loadtest.Answer{Problem: "not HTTP"}},
		{"a bad chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", loadtest.Answer{Problem: "not HTTP"}},
		{"too large a body", "GET", ok + "Content-Length: 67108865\r\n\r\nhello", loadtest.Answer{Problem: "too large"}},
		{"too large a chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n4000001\r\nhello", loadtest.Answer{Problem: "too large"}},
		{"too large a header", "GET", ok + "X: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", loadtest.Answer{Problem: "too large"}},
	} {
		for _, keepBody := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", c.name, keepBody), func(t *testing.T) {
				send, closes, err := loadtest.Exchange(t.Context(), loadtest.Load{Target: listen(t, once(c.text))}, keepBody)
				if err != nil {
					t.Fatal(err)
				}
				defer closes()
				got := send(&loadtest.Request{Method: c.method, Path: []byte("/")})
				if !keepBody {
					c.want.Body = nil
				}
				if got.Status != c.want.Status || !bytes.Equal(got.Body, c.want.Body) || got.Problem != c.want.Problem || got.Keep != c.want.Keep {
					t.Errorf("%+v, not %+v", got, c.want)
				}
			})
		}
	}
}

// A connection carries one request after the other, and nothing of one answer is left in the next.
func TestConnectionsAreKept(t *testing.T) {
	texts := []string{
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("y", 2000000),
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
	}
	target := listen(t, func(conn net.Conn) {
		for i := 0; awaitRequest(conn); i++ {
			io.WriteString(conn, texts[i%len(texts)])
		}
	})
	send, closes, err := loadtest.Exchange(t.Context(), loadtest.Load{Target: target}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closes()
	r := &loadtest.Request{Method: "GET", Path: []byte("/")}
	for range 3 {
		for i, want := range []struct{ status, body int }{{200, 5}, {404, 2}, {204, 0}, {200, 2000000}, {200, 1}} {
			if a := send(r); a.Status != want.status || len(a.Body) != want.body || !a.Keep {
				t.Fatalf("answer %d: %d, %d bytes, %q, kept: %v", i, a.Status, len(a.Body), a.Problem, a.Keep)
			}
		}
	}
}

func TestRequestsGoOutAsGiven(t *testing.T) {
	got := make(chan string, 1)
	target := listen(t, func(conn net.Conn) {
		b := make([]byte, 200<<10)
		for n := 0; ; {
			m, err := conn.Read(b[n:])
			if n += m; err != nil || bytes.HasSuffix(b[:n], []byte("!")) {
				got <- string(b[:n])
				break
			}
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	large := strings.Repeat("x", 100<<10) + "!"
	target.Path = "/api/"
	host := target.Host
	for _, c := range []struct {
		r    loadtest.Request
		want string
	}{
		{
			loadtest.Request{Method: "GET", Path: []byte("/a%20b?x=1"), Header: []loadtest.Field{{Name: "b", Value: "2"}, {Name: "A", Value: "1"}, {Name: "b", Value: "3"}}, Body: []byte("why!")},
			"GET /api/a%20b?x=1 HTTP/1.1\r\nHost: " + host + "\r\nb: 2\r\nA: 1\r\nb: 3\r\nContent-Length: 4\r\n\r\nwhy!",
		},
		{
			loadtest.Request{Method: "POST", Path: []byte("/"), Header: []loadtest.Field{{Name: "host", Value: "other"}, {Name: "Expect", Value: "!"}}, Body: []byte(large)},
			"POST /api/ HTTP/1.1\r\nhost: other\r\nExpect: !\r\nContent-Length: 102401\r\n\r\n" + large,
		},
	} {
		send, closes, err := loadtest.Exchange(t.Context(), loadtest.Load{Target: target}, false)
		if err != nil {
			t.Fatal(err)
		}
		if a := send(&c.r); a.Status != 200 {
			t.Errorf("%+v", a)
		}
		closes()
		if text := <-got; text != c.want {
			t.Errorf("sent %.300q, not %.300q", text, c.want)
		}
	}
}

func TestBrokenConnections(t *testing.T) {
	reset := func(conn net.Conn) {
		if awaitRequest(conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
			conn.(*net.TCPConn).SetLinger(0)
		}
	}
	silent := func(conn net.Conn) { io.Copy(io.Discard, conn) }
	slow := func(conn net.Conn) {
		if awaitRequest(conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-")
			io.Copy(io.Discard, conn)
		}
	}
	for _, c := range []struct {
		name, want string
		serve      func(net.Conn)
	}{
		{"reset", "reset", reset}, {"silent", "timeout", silent}, {"slow header", "timeout", slow},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := loadtest.Load{Target: listen(t, c.serve), Timeout: 100 * time.Millisecond}
			if c.want != "timeout" {
				l.Timeout = time.Minute
			}
			send, closes, err := loadtest.Exchange(t.Context(), l, false)
			if err != nil {
				t.Fatal(err)
			}
			defer closes()
			if a := send(&loadtest.Request{Method: "GET", Path: []byte("/")}); a.Problem != c.want || a.Keep || a.Status != 0 {
				t.Errorf("%+v", a)
			}
		})
	}
}

// A server that answers before it has read the whole request has answered.
func TestAnAnswerBeforeTheRequestIsRead(t *testing.T) {
	target := listen(t, func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
	})
	send, closes, err := loadtest.Exchange(t.Context(), loadtest.Load{Target: target}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer closes()
	if a := send(&loadtest.Request{Method: "POST", Path: []byte("/"), Body: make([]byte, 1<<20)}); a.Status != 413 || a.Keep {
		t.Errorf("%+v", a)
	}
}

// reconnecting counts what a server of raw connections, in virtual time, makes of ten requests, one every second.
func reconnecting(t *testing.T, s *source, serve func(n int, conn net.Conn), check func(*loadtest.Result)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			n++
			go func(n int) {
				defer theirs.Close()
				serve(n, theirs)
			}(n)
			return ours, nil
		}
		res, err := loadtest.RunVirtual(t.Context(), loadtest.Load{
			Target: at(t, "http://virtual"), Dial: dial, Source: s, Arrivals: loadtest.Even,
			Phases: []loadtest.Phase{{Duration: 10 * time.Second, From: 1, To: 1}},
		})
		if err != nil {
			t.Fatal(err)
		}
		check(res)
	})
}

// A kept connection may be closed by the server at any time. What a request that could not know of it meets is no error, if
// it may be sent twice.
func TestStaleConnections(t *testing.T) {
	twice := func(_ int, conn net.Conn) {
		for range 2 {
			if !awaitRequest(conn) {
				return
			}
			io.WriteString(conn, hello)
		}
		awaitRequest(conn)
	}
	reconnecting(t, gets(), twice, func(res *loadtest.Result) {
		if res.Total.Sent != 10 || res.Total.Good != 10 || res.Generator.Opened != 5 {
			t.Errorf("%d of %d good, over %d connections, %v", res.Total.Good, res.Total.Sent, res.Generator.Opened, res.Total.Errors)
		}
	})
	posts := gets()
	posts.method = http.MethodPost
	reconnecting(t, posts, twice, func(res *loadtest.Result) {
		if res.Total.Sent != 10 || res.Total.Good != 7 || res.Total.Errors["cut off"] != 3 {
			t.Errorf("%d of %d POSTs good, over %d connections, %v", res.Total.Good, res.Total.Sent, res.Generator.Opened, res.Total.Errors)
		}
	})
	posts.header = []loadtest.Field{{Name: "Idempotency-Key", Value: "1"}}
	reconnecting(t, posts, twice, func(res *loadtest.Result) {
		if res.Total.Good != 10 {
			t.Errorf("%d of %d POSTs with keys good, %v", res.Total.Good, res.Total.Sent, res.Total.Errors)
		}
	})
	// A new connection is not stale, whatever happens to it; the first one is opened ahead.
	reconnecting(t, gets(), func(int, net.Conn) {}, func(res *loadtest.Result) {
		if res.Total.Good != 0 || res.Total.Errors["cut off"] != 10 || res.Generator.Opened != 11 {
			t.Errorf("%d of %d good, over %d connections, %v", res.Total.Good, res.Total.Sent, res.Generator.Opened, res.Total.Errors)
		}
	})
}

// A POST is not sent over a connection that the server is known to have closed.
func TestPostsAvoidStaleConnections(t *testing.T) {
	closed := make(chan struct{})
	target := listen(t, func(conn net.Conn) {
		if awaitRequest(conn) {
			io.WriteString(conn, hello)
			conn.Close()
		}
		closed <- struct{}{}
	})
	post := &loadtest.Request{Method: "POST", Path: []byte("/")}
	for range 100 { // as the end of a connection may be on its way
		send, closes, err := loadtest.Exchange(t.Context(), loadtest.Load{Target: target}, false)
		if err != nil {
			t.Fatal(err)
		}
		if a := send(post); a.Status != 200 || !a.Keep {
			t.Fatalf("%+v", a)
		}
		<-closed
		a := send(post)
		closes()
		if a.Unsent && a.Stale {
			return
		}
	}
	t.Error("a closed connection is never noticed")
}

func TestConnectionsThatCannotBeOpened(t *testing.T) {
	never := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	failing := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	for _, c := range []struct {
		want string
		dial func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		{"refused", failing(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})},
		{"dial", failing(&net.DNSError{Err: "no such host"})},
		{"dial", failing(errors.New("no"))},
		{"timeout", never},
	} {
		for _, p := range []loadtest.Phase{{Duration: time.Second, From: 10, To: 10}, {Duration: time.Second}} {
			synctest.Test(t, func(t *testing.T) {
				res, err := loadtest.RunVirtual(t.Context(), loadtest.Load{
					Target: at(t, "http://virtual"), Dial: c.dial, Source: gets(), Arrivals: loadtest.Even, Phases: []loadtest.Phase{p},
					Timeout: 200 * time.Millisecond,
				})
				if err != nil {
					t.Fatal(err)
				}
				// An open loop's last requests are due at most 0.2 s before the end, and then have no time left to fail.
				total := res.Total
				if own := total.Own.ValueAtQuantile(50); c.want == "timeout" && !near(own, 200*time.Millisecond) {
					t.Errorf("waited for %d µs", own)
				}
				if total.Good != 0 || total.Errors[c.want] != total.Sent || total.Sent < 3 || !p.Closed() && total.Sent < 8 || total.Sent > 10 {
					t.Errorf("%s: %d sent, %d due, %v", c.want, total.Sent, total.Due, total.Errors)
				}
			})
		}
	}
}

func TestTLS(t *testing.T) {
	var requests atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("%s", r.Proto)
		}
		requests.Add(1)
	}))
	defer s.Close()
	l := loadtest.Load{Target: at(t, s.URL), TLS: s.Client().Transport.(*http.Transport).TLSClientConfig}
	send, closes, err := loadtest.Exchange(t.Context(), l, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a := send(&loadtest.Request{Method: "GET", Path: []byte("/")}); a.Status != 200 || !a.Keep {
			t.Errorf("%+v", a)
		}
	}
	closes()
	if requests.Load() != 3 {
		t.Errorf("%d requests", requests.Load())
	}
}

// Whoever's certificate is not trusted is not sent to. It is an error by its kind, as it may last for a part of a run only.
func TestUntrustedTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = silence()
	s.StartTLS()
	defer s.Close()
	for _, protocol := range []loadtest.Protocol{loadtest.HTTP1, loadtest.HTTP2} {
		ctx, cancel := context.WithCancel(t.Context())
		l := loadtest.Load{
			Target: at(t, s.URL), Source: gets(), Protocol: protocol, Phases: []loadtest.Phase{{Duration: time.Hour}},
			Progress: func(p loadtest.Progress) {
				if p.Total.Sent > 0 {
					cancel()
				}
			},
		}
		res, err := loadtest.Run(ctx, l)
		if err != nil || res.Total.Errors["tls"] == 0 || len(res.Total.Errors) != 1 || res.Total.Good != 0 {
			t.Errorf("%v, %v", res.Total.Errors, err)
		}
	}
}
