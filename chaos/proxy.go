package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Protocol is what a proxy understands of what it forwards. As text: "postgres", "http".
type Protocol string

// Protocols. The zero Protocol is the one that a proxy's faults need when a connection is opened.
const (
	PostgreSQL Protocol = "postgres"
	HTTP1      Protocol = "http"
)

// ProxyConfig says what a Proxy does. Upstream is required.
type ProxyConfig struct {
	// Name is for logs and events. Default: the upstream.
	Name string `json:"-"`
	// Listen is the address to accept connections at. Default: a free port of 127.0.0.1.
	Listen string `json:"listen"`
	// Upstream is the address to connect to; a path is that of a Unix socket.
	Upstream string `json:"upstream"`
	// Protocol has connections followed from their beginning, so that faults at messages can be set while they are open.
	Protocol Protocol `json:"protocol"`
	// Faults are those to begin with, as Proxy.Set takes them.
	Faults []Fault `json:"faults"`
	// Seed makes what is random another thing.
	Seed uint64 `json:"-"`
	// Logger gets what happens. Default: nobody.
	Logger *slog.Logger `json:"-"`
	// Events gets it, too. It is called by several goroutines, and must not wait for the proxy.
	Events func(Event) `json:"-"`
	// Listener accepts connections instead of one at Listen, and Dial opens those to the upstream.
	Listener net.Listener                                `json:"-"`
	Dial     func(ctx context.Context) (net.Conn, error) `json:"-"`
}

// Proxy forwards connections and does to them what its faults say. Its methods can be called at any time, by anybody.
type Proxy struct {
	config   ProxyConfig
	listener net.Listener
	done     sync.WaitGroup

	mu       sync.Mutex
	upstream string
	plan     *plan
	set      []*setting
	opened   uint64 // connections
	settings uint64
	conns    map[*conn]bool
	closed   bool
	counts   map[string]uint64
}

// plan is the faults in force. It never changes; changed is closed when there is another.
type plan struct {
	lives   []*live
	changed chan struct{}
}

// Listen opens a proxy that listens at an address, such as 127.0.0.1:0, and forwards to an upstream, an address or the path of
// a Unix socket.
func Listen(address, upstream string, faults ...Fault) (*Proxy, error) {
	return ProxyConfig{Listen: address, Upstream: upstream, Faults: faults}.Open()
}

// Validate says what is wrong, and what to write instead.
func (c *ProxyConfig) Validate() error {
	if c.Upstream == "" && c.Dial == nil {
		return errors.New("a proxy needs an upstream, such as 127.0.0.1:5432")
	}
	if _, _, err := net.SplitHostPort(c.Upstream); err != nil && c.Dial == nil && network(c.Upstream) == "tcp" {
		return fmt.Errorf("%q is no upstream; write an address such as 127.0.0.1:5432, or the path of a Unix socket", c.Upstream)
	}
	if c.Protocol != "" && c.Protocol != PostgreSQL && c.Protocol != HTTP1 {
		return fmt.Errorf("%q is no protocol that is known; write postgres, http, or leave it out", c.Protocol)
	}
	return oneProtocol(c.Protocol, c.Faults)
}

// oneProtocol refuses faults of which some cannot happen.
func oneProtocol(p Protocol, faults []Fault) error {
	for i := range faults {
		if err := faults[i].Validate(); err != nil {
			return err
		}
		needed := faults[i].protocol()
		if p = cmp.Or(p, needed); needed != "" && needed != p {
			return fmt.Errorf("a fault of %s cannot be in a proxy for %s; make a second proxy for it", needed, p)
		}
	}
	return nil
}

// protocol is what must be understood to find the fault's point.
func (f *Fault) protocol() Protocol {
	if f.HTTP != nil {
		return HTTP1
	}
	if p := f.point(); p != nil && p.message() != "" {
		return PostgreSQL
	}
	return ""
}

// Open listens, and forwards until Close.
func (c ProxyConfig) Open() (*Proxy, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Name = cmp.Or(c.Name, c.Upstream)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Listener == nil {
		var err error
		if c.Listener, err = net.Listen("tcp", cmp.Or(c.Listen, "127.0.0.1:0")); err != nil {
			return nil, err
		}
	}
	p := &Proxy{
		config: c, listener: c.Listener, upstream: c.Upstream, plan: &plan{changed: make(chan struct{})},
		conns: map[*conn]bool{}, counts: map[string]uint64{},
	}
	if err := p.Set(c.Faults...); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.done.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Name is the one it was given.
func (p *Proxy) Name() string { return p.config.Name }

// Upstream is where it forwards to.
func (p *Proxy) Upstream() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upstream
}

// Redirect leads new connections to another upstream. Cut ends those that there are.
func (p *Proxy) Redirect(upstream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = upstream
}

// Cut closes all connections, in good order.
func (p *Proxy) Cut() {
	for _, c := range p.connections() {
		c.end()
	}
}

// Connections is how many there were so far.
func (p *Proxy) Connections() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// Counts is how often each fault had an effect, by name: on chunks of bytes for what goes on all the time, on connections or
// messages else. "unreachable" counts connections that the upstream did not accept, "unreadable" those whose messages could
// not be read.
func (p *Proxy) Counts() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Close stops listening, ends all connections, and waits until that is done.
func (p *Proxy) Close() error {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	if closed {
		return nil
	}
	err := p.listener.Close()
	p.remove(p.all()...)
	p.Cut()
	p.done.Wait()
	return err
}

func (p *Proxy) connections() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.conns))
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files
			p.tell(Event{Action: Failed, Detail: err.Error()})
			time.Sleep(10 * time.Millisecond)
			if p.isClosed() {
				return
			}
			continue
		}
		ctx, c := newConn(p, client)
		if !p.enter(c) {
			c.end()
			return
		}
		p.done.Go(func() {
			defer p.leave(c)
			c.serve(ctx)
		})
	}
}

func (p *Proxy) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// enter numbers a connection; false when the proxy is closed.
func (p *Proxy) enter(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	c.number = p.opened
	if !p.closed {
		p.conns[c] = true
	}
	return !p.closed
}

func (p *Proxy) leave(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) dial(ctx context.Context) (net.Conn, error) {
	if p.config.Dial != nil {
		return p.config.Dial(ctx)
	}
	upstream := p.Upstream()
	return new(net.Dialer).DialContext(ctx, network(upstream), upstream)
}

// network is that of an address: a path is that of a Unix socket.
func network(address string) string {
	if strings.HasPrefix(address, "/") {
		return "unix"
	}
	return "tcp"
}

func (p *Proxy) current() *plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan
}

func (p *Proxy) count(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[name]++
}

// tell brings an event to those who want to know.
func (p *Proxy) tell(e Event) {
	e.Time, e.Proxy = time.Now(), p.config.Name
	e.log(p.config.Logger)
	if p.config.Events != nil {
		p.config.Events(e)
	}
}
