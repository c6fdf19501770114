package promises_test

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// proxy is the network between the feed and the database. It can stand still, and break.
type proxy struct {
	target   *pgconn.Config
	listener net.Listener
	done     sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	frozen  bool
	refuses bool
	gone    bool
	conns   map[net.Conn]bool
}

// through gives a proxy to the server of dsn, and the DSN that leads through it.
func through(t testing.TB, dsn string) (*proxy, string) {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: config, conns: map[net.Conn]bool{}}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.changed = sync.NewCond(&p.mu)
	p.done.Go(p.accept)
	t.Cleanup(p.close)
	u.Host = p.listener.Addr().String()
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return p, u.String()
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
	target := p.enter(client)
	if target == nil {
		return
	}
	defer p.leave(client)
	network, address := pgconn.NetworkAddress(target.Host, target.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var both sync.WaitGroup
	both.Go(func() {
		defer func() { _ = server.Close() }()
		p.forward(client, server)
	})
	p.forward(server, client)
	_ = client.Close()
	both.Wait()
}

// enter says where a connection leads; nil for one that is refused.
func (p *proxy) enter(c net.Conn) *pgconn.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses || p.gone {
		return nil
	}
	p.conns[c] = true
	return p.target
}

func (p *proxy) leave(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) forward(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !p.thaw() || err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// thaw waits until bytes may pass; false at the proxy's end.
func (p *proxy) thaw() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.frozen && !p.gone {
		p.changed.Wait()
	}
	return !p.gone
}

// freeze holds back all bytes, or lets them pass again.
func (p *proxy) freeze(frozen bool) { p.set(func() { p.frozen = frozen }) }

// refuse closes new connections at once, or serves them again.
func (p *proxy) refuse(refuses bool) { p.set(func() { p.refuses = refuses }) }

// cut closes all connections.
func (p *proxy) cut() {
	p.set(func() {
		for c := range p.conns {
			_ = c.Close()
		}
	})
}

// redirect leads to another server from now on.
func (p *proxy) redirect(t testing.TB, dsn string) {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p.set(func() { p.target = config })
	p.cut()
}

func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

func (p *proxy) close() {
	p.set(func() { p.gone = true })
	_ = p.listener.Close()
	p.cut()
	p.done.Wait()
}
