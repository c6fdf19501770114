package edge_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/edge"
)

// client is a connection of its own to a server.
type client struct {
	net.Conn
	answers *bufio.Reader
}

func (r *running) dial(t *testing.T) *client {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	return &client{conn, bufio.NewReader(conn)}
}

func (c *client) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads one answer; nil when the connection has ended.
func (c *client) receive() (*http.Response, string) {
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return nil, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// get asks for path and returns the status, 0 when the connection has ended.
func (c *client) get(path string) int {
	_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	if res, _ := c.receive(); res != nil {
		return res.StatusCode
	}
	return 0
}

// holding answers /hold only when released, and all else at once.
func holding(release <-chan struct{}) func(*edge.Server) http.Handler {
	return func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				<-release
			}
			_, _ = io.WriteString(w, "ok")
		})
	}
}

func TestLongestWaitingConnectionMakesRoom(t *testing.T) {
	srv := serve(t, edge.ServerOptions{Connections: edge.ConnectionLimits{Total: 3}}, holding(nil))
	first, second, third := srv.dial(t), srv.dial(t), srv.dial(t)
	for _, c := range []*client{first, second, third} {
		if c.get("/") != 200 {
			t.Fatal("no answer")
		}
	}
	time.Sleep(1100 * time.Millisecond) // what waits for less may be about to ask again
	if second.get("/") != 200 {
		t.Fatal("no answer")
	}
	if fourth := srv.dial(t); fourth.get("/") != 200 {
		t.Error("the server is full of connections that wait")
	}
	if first.get("/") != 0 {
		t.Error("the connection that has waited longest is still there")
	}
	for _, c := range []*client{second, third} {
		if c.get("/") != 200 {
			t.Error("another connection was closed")
		}
	}
	if got := srv.Connections(); got.Open != 3 || got.Evicted != 1 || got.RefusedTotal != 0 {
		t.Errorf("%+v", got)
	}
}

func TestFullServerRefuses(t *testing.T) {
	release := make(chan struct{})
	srv := serve(t, edge.ServerOptions{Connections: edge.ConnectionLimits{Total: 2}}, holding(release))
	var wg sync.WaitGroup
	for range 2 {
		c := srv.dial(t)
		c.send(t, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
		wg.Go(func() {
			if res, body := c.receive(); res == nil || res.StatusCode != 200 {
				t.Errorf("a request under way: %s", body)
			}
		})
	}
	waitUntil(func() bool { return srv.Connections().Open == 2 })
	refused := srv.dial(t)
	refused.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, body := refused.receive()
	if res == nil || res.StatusCode != 503 || !res.Close || !strings.Contains(body, "SLIP232") || !strings.Contains(body, "server-max-connections is") {
		t.Errorf("%v %s", res, body)
	} else if after, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || after < 1 || after > 4 {
		t.Errorf("Retry-After: %v", res.Header)
	}
	close(release)
	wg.Wait()
	if got := srv.Connections(); got.RefusedTotal != 1 || got.Evicted != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAddressIsRefused(t *testing.T) {
	for _, exempt := range []bool{false, true} {
		srv := serve(t, edge.ServerOptions{Connections: edge.ConnectionLimits{
			Total: 10, PerAddress: 2, Exempt: func(a netip.Addr) bool { return exempt && a.IsLoopback() },
		}}, holding(nil))
		first, second, third := srv.dial(t), srv.dial(t), srv.dial(t)
		if first.get("/") != 200 || second.get("/") != 200 {
			t.Error("within the limit")
		}
		third.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, body := third.receive()
		if exempt {
			if res == nil || res.StatusCode != 200 {
				t.Errorf("exempt: %s", body)
			}
			continue
		}
		if res == nil || res.StatusCode != 503 || !strings.Contains(body, "per-ip") {
			t.Errorf("%v %s", res, body)
		}
		first.Close()
		waitUntil(func() bool { return srv.Connections().Open < 2 })
		if srv.dial(t).get("/") != 200 {
			t.Error("one has been closed")
		}
	}
}

// A server without descriptors left closes what waits, says so once, and goes on when there are some again.
func TestNoDescriptorsLeft(t *testing.T) {
	var log lockedBuffer
	srv := serve(t, edge.ServerOptions{Log: slog.New(slog.NewTextHandler(&log, nil))}, holding(nil))
	waiting := srv.dial(t)
	if waiting.get("/") != 200 {
		t.Fatal("no answer")
	}
	time.Sleep(1100 * time.Millisecond)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Skip(err)
	}
	scarce := before
	scarce.Cur = 200
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &scarce); err != nil {
		t.Skip(err)
	}
	var taken []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, f)
	}
	_ = taken[0].Close() // for the client's end
	if _, err := net.Dial("tcp", srv.Addr().String()); err != nil {
		t.Error(err)
	}
	waitUntil(func() bool { return srv.Connections().Evicted > 0 })
	for _, f := range taken[1:] {
		_ = f.Close()
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if srv.dial(t).get("/") != 200 {
		t.Error("no answer with descriptors again")
	}
	if n := strings.Count(log.String(), "ulimit"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

func TestCloseWaiting(t *testing.T) {
	srv := serve(t, edge.ServerOptions{}, holding(nil))
	idle, silent := srv.dial(t), srv.dial(t)
	if idle.get("/") != 200 {
		t.Fatal("no answer")
	}
	waitUntil(func() bool { return srv.Connections().Open == 2 })
	if n := srv.CloseWaiting(); n != 0 {
		t.Errorf("%d closed at once", n)
	}
	time.Sleep(1200 * time.Millisecond)
	if n := srv.CloseWaiting(); n != 2 {
		t.Errorf("%d closed", n)
	}
	for _, c := range []*client{idle, silent} {
		if _, err := c.answers.ReadByte(); err == nil {
			t.Error("still open")
		}
	}
}

func TestDefaultConnections(t *testing.T) {
	if n := edge.DefaultConnections(1 << 30); n != 16 {
		t.Errorf("%d with everything reserved", n)
	}
	if n := edge.DefaultConnections(0); n < 16 || n > 100_000 {
		t.Errorf("%d by default", n)
	}
	limits := edge.NewServer(edge.ServerOptions{Connections: edge.ConnectionLimits{Total: 30_000}}).ConnectionLimits()
	if limits.PerAddress != 15_000 {
		t.Errorf("%d of 30,000 from one address", limits.PerAddress)
	}
	limits = edge.NewServer(edge.ServerOptions{Connections: edge.ConnectionLimits{Total: 800}}).ConnectionLimits()
	if limits.PerAddress != 800 {
		t.Errorf("%d of 800 from one address", limits.PerAddress)
	}
}
