package pg_test

import (
	"encoding/binary"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// proxy stands between a DB and a real server. It counts what goes to and fro, and can stop forwarding.
type proxy struct {
	t        testing.TB
	listener net.Listener
	done     sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	target   string                 // DSN of the server
	frozen   func(cancel bool) bool // whether bytes of a session, or of a request to cancel, are held back
	gone     bool
	refusing bool
	conns    []net.Conn
	total    int      // connections of any kind
	opened   int      // sessions, without requests to cancel
	cancels  int      // requests to cancel
	messages []string // of clients: the type, and the text of a Parse or Query
	trips    int      // times that a client spoke after the server had
}

// newProxy gives a proxy to the server of dsn, and the DSN that leads through it.
func newProxy(t testing.TB, dsn string) (*proxy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: l, target: dsn, frozen: func(bool) bool { return false }}
	p.changed = sync.NewCond(&p.mu)
	p.done.Go(p.accept)
	t.Cleanup(p.close)
	return p, p.dsn(dsn)
}

// dsn leads through the proxy with the user and database of another one.
func (p *proxy) dsn(dsn string) string {
	p.t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		p.t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	p.mu.Lock()
	target, refusing := p.target, p.refusing
	p.conns = append(p.conns, client)
	p.total++
	p.mu.Unlock()
	if refusing {
		return
	}
	config, err := pgconn.ParseConfig(target)
	if err != nil {
		p.t.Error(err)
		return
	}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	l := &link{proxy: p}
	var both sync.WaitGroup
	both.Go(func() {
		defer func() { _ = server.Close() }()
		l.forward(client, server, l.fromClient)
	})
	l.forward(server, client, l.fromServer)
	_ = client.Close()
	both.Wait()
}

func (l *link) forward(from, to net.Conn, see func([]byte)) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		see(buf[:n])
		if !l.thaw() || err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// thaw waits until bytes may pass; false at the proxy's end.
func (l *link) thaw() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.frozen(l.cancel) && !l.gone {
		l.changed.Wait()
	}
	return !l.gone
}

// freeze holds back all bytes, or lets them pass again: the way to a host that is unreachable.
func (p *proxy) freeze(frozen bool) { p.hold(func(bool) bool { return frozen }) }

// What can be held back alone.
func sessions(cancel bool) bool { return !cancel }
func cancels(cancel bool) bool  { return cancel }

func (p *proxy) hold(frozen func(cancel bool) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
	p.changed.Broadcast()
}

// retarget leads new connections to another server.
func (p *proxy) retarget(dsn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = dsn
}

// refuse closes new connections at once, or serves them again.
func (p *proxy) refuse(refusing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = refusing
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) close() {
	p.mu.Lock()
	p.gone = true
	p.changed.Broadcast()
	p.mu.Unlock()
	_ = p.listener.Close()
	p.cut()
	p.done.Wait()
}

// traffic is what a proxy has seen.
type traffic struct {
	opened, cancels, trips int
	messages               []string
}

// accepted is the number of connections so far.
func (p *proxy) accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// sent is the number of messages since the last take.
func (p *proxy) sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.messages)
}

// asked is the number of requests to cancel since the last take.
func (p *proxy) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cancels
}

// count gives the messages of one type, by its letter in the protocol.
func (t traffic) count(kind byte) int {
	n := 0
	for _, m := range t.messages {
		if m[0] == kind {
			n++
		}
	}
	return n
}

// take gives what was seen since the last take.
func (p *proxy) take() traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := traffic{p.opened, p.cancels, p.trips, slices.Clone(p.messages)}
	p.opened, p.cancels, p.trips, p.messages = 0, 0, 0, nil
	return t
}

// link follows the protocol on one connection.
type link struct {
	*proxy
	pending  []byte
	started  bool
	speaking bool // the client spoke last
	cancel   bool // it is a request to cancel
}

func (l *link) fromServer([]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.speaking = false
}

func (l *link) fromClient(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.speaking && len(b) > 0 {
		l.speaking = true
		l.trips++
	}
	l.pending = append(l.pending, b...)
	for l.message() {
	}
}

const cancelRequest = 80877102

// message takes one whole message, if there is one.
func (l *link) message() bool {
	head := 1
	if !l.started {
		head = 0 // the first message has no type
	}
	if len(l.pending) < head+4 {
		return false
	}
	end := head + int(binary.BigEndian.Uint32(l.pending[head:]))
	if len(l.pending) < end {
		return false
	}
	m := l.pending[:end]
	l.pending = l.pending[end:]
	switch {
	case l.started:
		l.messages = append(l.messages, string(m[0])+printable(m[head+4:]))
	case binary.BigEndian.Uint32(m[4:]) == cancelRequest:
		l.cancels++
		l.cancel = true
	default:
		l.opened++
	}
	l.started = true
	return true
}

func printable(b []byte) string {
	s := strconv.QuoteToASCII(string(b))
	return s[1 : len(s)-1]
}
