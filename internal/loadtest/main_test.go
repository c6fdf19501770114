package loadtest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source sends the same request each time, its number in the path.
type source struct {
	shapes []loadtest.Shape
	method string
	body   []byte
	header []loadtest.Field
}

// gets is a source of GETs whose answers must have the status 200.
func gets() *source { return &source{shapes: []loadtest.Shape{{Name: "get"}}, method: http.MethodGet} }

func (s *source) Shapes() []loadtest.Shape { return s.shapes }

func (s *source) Request(n uint64, r *loadtest.Request) {
	r.Shape, r.Method, r.Header, r.Body = int(n)%len(s.shapes), s.method, s.header, s.body
	r.Path = strconv.AppendUint(append(r.Path[:0], "/"...), n, 10)
}

// at is a target's URL.
func at(t testing.TB, target string) *url.URL {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// pipes is a network within the process, for virtual time.
type pipes struct{ conns chan net.Conn }

func newPipes() *pipes { return &pipes{make(chan net.Conn)} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *pipes) Close() error {
	close(p.conns)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// serveVirtual serves over pipes until the end of f.
func serveVirtual(t *testing.T, h http.Handler, f func(*pipes)) {
	t.Helper()
	p := newPipes()
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(p) }()
	f(p)
	if err := s.Shutdown(t.Context()); err != nil && !errors.Is(err, net.ErrClosed) { // waits for handlers that sleep
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// listen gives each connection to a port of the loopback interface to f, and returns its URL.
func listen(t testing.TB, f func(net.Conn)) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done = make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				defer conn.Close()
				f(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		stop()
		l.Close()
		<-done
	})
	return at(t, "http://"+l.Addr().String())
}

// answering answers each request without a body with the same bytes, and allocates nothing.
func answering(text string) func(net.Conn) {
	return func(conn net.Conn) {
		r, answer := bufio.NewReader(conn), []byte(text)
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if !bytes.Equal(line, []byte("\r\n")) {
				continue
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
}

func silence() *log.Logger { return log.New(io.Discard, "", 0) }
