package chaos

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// conn is a connection of a client, and the one to the upstream that belongs to it.
type conn struct {
	proxy    *Proxy
	number   uint64 // from 1
	from     string // the client's address
	client   net.Conn
	upstream net.Conn        // set before there is a pipe
	gone     <-chan struct{} // closed when the connection is over
	leave    func()          // closes gone
	ending   sync.Once

	mu       sync.Mutex
	plan     *plan
	faults   []*meeting
	known    map[*live]*meeting // nil for those that this connection does not meet
	opaque   bool               // it was told that messages cannot be read
	closed   [Both + 1]bool     // by flow: its end was closed by HalfOpen
	finished int                // flows that have arrived at their end
}

// newConn is the connection of a client. It lasts until end is called.
func newConn(p *Proxy, client net.Conn) (context.Context, *conn) {
	ctx, cancel := context.WithCancel(context.Background())
	return ctx, &conn{proxy: p, from: client.RemoteAddr().String(), client: client, gone: ctx.Done(), leave: cancel}
}

// meetings are the faults that the connection meets now.
func (c *conn) meetings() []*meeting {
	_, faults := c.inForce()
	return faults
}

// inForce gives the faults that the connection meets, and the plan that they are from.
func (c *conn) inForce() (*plan, []*meeting) {
	current := c.proxy.current()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plan == current {
		return c.plan, c.faults
	}
	known := map[*live]*meeting{}
	var faults []*meeting
	for _, l := range current.lives {
		m, met := c.known[l]
		if !met && c.meets(l) {
			m = &meeting{live: l, conn: c}
		}
		known[l] = m
		if m != nil {
			faults = append(faults, m)
		}
	}
	c.plan, c.known, c.faults = current, known, faults
	return c.plan, c.faults
}

// meets tells whether a connection is one of those that a fault is for.
func (c *conn) meets(l *live) bool {
	which := &l.Connections
	if which.Nth != 0 && which.Nth != c.number || which.Every != 0 && c.number%which.Every != 0 {
		return false
	}
	if which.From != "" {
		prefix, _ := which.prefix() // was validated
		address, err := netip.ParseAddrPort(c.from)
		if err != nil || !prefix.Contains(address.Addr().Unmap()) {
			return false
		}
	}
	return l.perMessage() || l.draw(c.number, 0)
}

// serve forwards between client and upstream until the connection is over.
func (c *conn) serve(ctx context.Context) {
	defer c.end()
	if !c.open(ctx) {
		return
	}
	toUpstream, toClient := newPipe(c, ToUpstream, c.upstream), newPipe(c, ToClient, c.client)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(toUpstream.run)
	all.Go(toClient.run)
	forth, back := c.readers(toUpstream, toClient)
	all.Go(func() { c.read(forth, c.client, toUpstream) })
	c.read(back, c.upstream, toClient)
	<-c.gone
}

// open connects to the upstream, unless a fault is against it.
func (c *conn) open(ctx context.Context) bool {
	for _, m := range c.meetings() {
		switch {
		case m.Refuse:
			m.hit("at the opening")
			return false
		case m.SlowOpen != 0:
			m.hit("at the opening")
			if !c.sleep(m.SlowOpen) {
				return false
			}
		}
	}
	c.meetAtOnce()
	if !c.pass(Both) {
		return false
	}
	if ctx.Err() != nil {
		return false
	}
	upstream, err := c.proxy.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return false
		}
		c.proxy.count("unreachable")
		c.proxy.tell(Event{Action: Failed, Connection: c.number, Client: c.from, Detail: err.Error()})
		return false
	}
	return c.join(ctx, upstream)
}

// join gives the connection its other side; false when it has come too late for that.
func (c *conn) join(ctx context.Context, upstream net.Conn) bool {
	c.mu.Lock()
	c.upstream = upstream
	half := c.closed[ToUpstream]
	c.mu.Unlock()
	if ctx.Err() != nil {
		_ = upstream.Close()
		return false
	}
	if half {
		_ = upstream.Close()
	}
	return true
}

// reader passes what comes from one side on to a pipe, until there is no more.
type reader func(from io.Reader, to *pipe) error

// readers are those for the protocol that the proxy's faults need.
func (c *conn) readers(toUpstream, toClient *pipe) (forth, back reader) {
	switch c.proxy.protocol() {
	case PostgreSQL:
		s := newSession(c)
		return s.frontend, s.backend
	case HTTP1:
		e := &exchanges{conn: c, client: toClient}
		return e.requests, e.answers
	}
	return forward, forward
}

// forward passes bytes on as they are.
func forward(from io.Reader, to *pipe) error {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// read runs a reader, and brings the end of what it has read to the other side.
func (c *conn) read(r reader, from net.Conn, to *pipe) {
	err := r(from, to)
	switch {
	case errors.Is(err, errEnded):
		_, _ = io.Copy(io.Discard, from) // until the fault has happened, or the source goes away before
		if !c.isClosed(other(to.flow)) {
			c.end()
		}
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		to.finish(func() { c.arrived(to.flow) })
	default:
		to.finish(func() { c.lost(to.flow) })
	}
}

// arrived closes a flow whose source has nothing more to say.
func (c *conn) arrived(flow Direction) {
	if c.isClosed(other(flow)) {
		return // HalfOpen: the source was closed, and this side is not told
	}
	c.mu.Lock()
	c.finished++
	over := c.finished == 2 || c.closed[flow]
	to := c.side(flow)
	c.mu.Unlock()
	if half, ok := to.(interface{ CloseWrite() error }); ok && !over {
		_ = half.CloseWrite()
		return
	}
	c.end()
}

// lost breaks a flow off whose source was broken off.
func (c *conn) lost(flow Direction) {
	if !c.isClosed(other(flow)) {
		c.breakOff()
	}
}

// unwritable ends the connection when a side does not take bytes any more.
func (c *conn) unwritable(flow Direction) {
	if !c.isClosed(flow) {
		c.end()
	}
}

func other(flow Direction) Direction { return ToClient + ToUpstream - flow }

// side is where a flow goes.
func (c *conn) side(flow Direction) net.Conn {
	if flow == ToClient {
		return c.client
	}
	return c.upstream
}

func (c *conn) isClosed(flow Direction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed[flow]
}

// meetAtOnce has those faults happen that need no bytes to get to their point; each once.
func (c *conn) meetAtOnce() {
	for _, m := range c.meetings() {
		if m.point().atOnce() && m.over(m.acts) {
			c.happen(m, "at once")
		}
	}
}

// happen does what a fault does at its point.
func (c *conn) happen(m *meeting, where string) {
	m.hit(where)
	switch {
	case m.Reset != nil:
		c.breakOff()
	case m.HalfOpen != nil:
		c.mu.Lock()
		c.closed[m.acts] = true
		side := c.side(m.acts)
		c.mu.Unlock()
		if side != nil {
			_ = side.Close()
		}
	case m.Blackhole != nil:
		m.trigger()
	default:
		c.end()
	}
}

// breakOff ends the connection with a reset of both sides.
func (c *conn) breakOff() {
	c.mu.Lock()
	sides := []net.Conn{c.client, c.upstream}
	c.mu.Unlock()
	for _, side := range sides {
		if tcp, ok := side.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0)
		}
	}
	c.end()
}

// end closes both sides.
func (c *conn) end() {
	c.ending.Do(func() {
		c.leave()
		c.mu.Lock()
		upstream := c.upstream
		c.mu.Unlock()
		_ = c.client.Close()
		if upstream != nil {
			_ = upstream.Close()
		}
	})
}

// sleep waits; false when the connection is over by then.
func (c *conn) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.gone:
		return false
	}
}

// pass waits until the bytes of a flow, or of both, may go on; false when the connection is over by then.
func (c *conn) pass(flow Direction) bool {
	for {
		plan, faults := c.inForce()
		held := false
		for _, m := range faults {
			if flow == Both {
				held = held || m.holds(ToClient) && m.holds(ToUpstream)
			} else {
				held = held || m.holds(flow)
			}
		}
		if !held {
			return true
		}
		select {
		case <-plan.changed:
		case <-c.gone:
			return false
		}
	}
}

// unreadable tells, once, that faults at messages will not happen on this connection.
func (c *conn) unreadable(why string) {
	c.mu.Lock()
	told := c.opaque
	c.opaque = true
	c.mu.Unlock()
	if !told {
		c.proxy.count("unreadable")
		c.proxy.tell(Event{Action: Failed, Connection: c.number, Client: c.from, Detail: "the messages of this connection cannot be read: " + why})
	}
}
