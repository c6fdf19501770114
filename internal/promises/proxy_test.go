package promises_test

import (
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/chaos"
)

// proxy is the network between the feed and the database. It can stand still, and break.
type proxy struct {
	*chaos.Proxy
	t testing.TB

	mu          sync.Mutex
	thaw, admit func() // end what was begun, if not nil
}

// through gives a proxy to the server of dsn, and the DSN that leads through it.
func through(t testing.TB, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t}
	if p.Proxy, err = chaos.Listen("127.0.0.1:0", address(t, dsn)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	u.Host = p.Addr()
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return p, u.String()
}

// address is where the server of dsn listens.
func address(t testing.TB, dsn string) string {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, address := pgconn.NetworkAddress(config.Host, config.Port)
	return address
}

// freeze holds back all bytes, or lets them pass again.
func (p *proxy) freeze(frozen bool) { p.turn(&p.thaw, frozen, chaos.Fault{Blackhole: &chaos.Point{}}) }

// refuse closes new connections at once, or serves them again.
func (p *proxy) refuse(refuses bool) { p.turn(&p.admit, refuses, chaos.Fault{Refuse: true}) }

// cut closes all connections.
func (p *proxy) cut() { p.Cut() }

// redirect leads to another server from now on.
func (p *proxy) redirect(t testing.TB, dsn string) {
	t.Helper()
	p.Redirect(address(t, dsn))
	p.Cut()
}

// turn has a fault in force or not, beside the other one.
func (p *proxy) turn(end *func(), on bool, f chaos.Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if *end != nil {
		(*end)()
		*end = nil
	}
	if on {
		var err error
		if *end, err = p.Inject(f); err != nil {
			p.t.Error(err)
		}
	}
}
