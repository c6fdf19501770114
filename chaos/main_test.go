package chaos_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// asProcess makes the test binary a process that tests start, and says which.
const asProcess = "CHAOS_TEST_PROCESS"

func TestMain(m *testing.M) {
	if what := os.Getenv(asProcess); what != "" {
		os.Exit(beProcess(what))
	}
	pgtest.Main(m)
}

// noLeaks fails the test for goroutines that it leaves behind.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// half is one side of a connection in memory, which can be closed by halves as TCP's can.
type half struct {
	*io.PipeReader
	*io.PipeWriter
}

func (h half) Close() error                     { _ = h.PipeReader.Close(); return h.PipeWriter.Close() }
func (h half) CloseWrite() error                { return h.PipeWriter.Close() }
func (h half) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (h half) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4} }
func (h half) SetDeadline(time.Time) error      { return nil }
func (h half) SetReadDeadline(time.Time) error  { return nil }
func (h half) SetWriteDeadline(time.Time) error { return nil }

// line gives both sides of a connection in memory.
func line() (net.Conn, net.Conn) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	return half{r1, w2}, half{r2, w1}
}

// memory is a listener without a network, so that virtual time goes on.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m *memory) dial(ctx context.Context) (net.Conn, error) {
	here, there := line()
	select {
	case m.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lab is a proxy in memory between a test and a test.
type lab struct {
	*chaos.Proxy
	t        *testing.T
	entrance *memory
	exit     *memory

	mu     sync.Mutex
	events []chaos.Event
}

// newLab makes one for a bubble of virtual time. Close it at its end.
func newLab(t *testing.T, faults ...chaos.Fault) *lab {
	t.Helper()
	l := &lab{t: t, entrance: newMemory(), exit: newMemory()}
	var err error
	l.Proxy, err = l.config(faults...).Open()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) config(faults ...chaos.Fault) chaos.ProxyConfig {
	return chaos.ProxyConfig{Name: "lab", Upstream: "memory", Listener: l.entrance, Dial: l.exit.dial, Events: l.event, Faults: faults}
}

func (l *lab) event(e chaos.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// connect opens a connection through the proxy; upstream is its other end.
func (l *lab) connect() (client net.Conn, upstream *later) {
	l.t.Helper()
	client, err := l.entrance.dial(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	upstream = &later{ready: make(chan struct{})}
	go func() {
		defer close(upstream.ready)
		upstream.conn, _ = l.exit.Accept()
	}()
	return client, upstream
}

// later is a connection that may not have come yet.
type later struct {
	ready chan struct{}
	conn  net.Conn
}

func (l *later) get() net.Conn {
	<-l.ready
	return l.conn
}

// receiver collects what arrives at a connection, and when.
type receiver struct {
	began time.Time

	mu    sync.Mutex
	text  string
	times []time.Duration
	err   error
}

func receive(c net.Conn) *receiver {
	r := &receiver{began: time.Now()}
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			r.mu.Lock()
			r.text += string(buf[:n])
			if n > 0 {
				r.times = append(r.times, time.Since(r.began))
			}
			r.err = err
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r
}

func (r *receiver) all() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text, r.err
}

// when tells at which times something has arrived.
func (r *receiver) when() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.times)
}

// echo serves TCP connections with what they send, until the test's end.
func echo(t *testing.T) string {
	t.Helper()
	return listen(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

// listen serves TCP connections, until the test's end.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	return l.Addr().String()
}

// through opens a proxy until the test's end.
func through(t *testing.T, upstream string, faults ...chaos.Fault) *chaos.Proxy {
	t.Helper()
	p, err := chaos.Listen("127.0.0.1:0", upstream, faults...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// dial connects to an address until the test's end.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil { // ends a test that hangs
		t.Fatal(err)
	}
	return c
}

// attempt is ask on a new connection, which may be broken off before it is there.
func attempt(address, text string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	return ask(c, text)
}

// ask sends a line to an echo and wants it back.
func ask(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text+"\n"); err != nil {
		return err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && got != text+"\n" {
		err = io.ErrUnexpectedEOF
	}
	return err
}
