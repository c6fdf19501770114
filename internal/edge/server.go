package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// ServerOptions are the settings of NewServer. Zero fields are the defaults.
type ServerOptions struct {
	Address Address
	// Limits only set the bound at which net/http gives up; the answers that explain
	// themselves come from the middleware Limit.
	Limits Limits
	// Connections bound how many there are.
	Connections ConnectionLimits
	// HTTP2 takes HTTP/2 without TLS from clients that begin with it (RFC 9113, section 3.3), besides HTTP/1.1.
	HTTP2 bool
	// ReadHeaderTimeout is how long a client may take to send its headers. Default 10 s.
	ReadHeaderTimeout time.Duration
	// BodyWindow is the time in which each further 10 KiB of a body must come, or its end. Default 10 s.
	BodyWindow time.Duration
	// WriteStall is how long a client may take for each 256 KiB that it is sent; it may be half as long again over HTTP/1.1.
	// Default 1 min.
	WriteStall time.Duration
	// IdleTimeout is how long an unused connection is kept. Default 2 min.
	IdleTimeout time.Duration
	// DrainDelay is how long new connections are still taken after the drain began, so that
	// balancers see /ready fail before connections are refused. Default 0.
	DrainDelay time.Duration
	// DrainTimeout is how long requests in flight may take to finish, after DrainDelay.
	// Default 30 s.
	DrainTimeout time.Duration
	// LastCall is how long idle connections stay open once the listener has closed. A client
	// that reuses one in this time gets its answer, with "Connection: close"; closing at once
	// would reset the requests that are just under way on the network. Default 250 ms.
	LastCall time.Duration
	// Log gets what net/http and the drain have to say.
	Log *slog.Logger
}

func (o ServerOptions) withDefaults() ServerOptions {
	defaults := []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.ReadHeaderTimeout, 10 * time.Second},
		{&o.BodyWindow, 10 * time.Second},
		{&o.WriteStall, time.Minute},
		{&o.IdleTimeout, 2 * time.Minute},
		{&o.DrainTimeout, 30 * time.Second},
		{&o.LastCall, 250 * time.Millisecond},
	}
	for _, d := range defaults {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.WithDefaults()
	return o
}

// What a connection of HTTP/2 may have: requests at a time, and bytes in a frame.
const (
	maxStreams = 250
	maxFrame   = 64 << 10
)

// Server serves one handler on one address until its context ends, and then drains.
type Server struct {
	options     ServerOptions
	listener    atomic.Pointer[net.Listener]
	connections *connections
	draining    atomic.Bool
	open        atomic.Int64  // connections
	emptied     chan struct{} // gets a value when open falls to 0
}

// NewServer opens and starts nothing.
func NewServer(o ServerOptions) *Server {
	o = o.withDefaults()
	return &Server{options: o, connections: newConnections(o.Connections, o.WriteStall), emptied: make(chan struct{}, 1)}
}

// Listen binds the address. Serve does so itself when it was not called before.
func (s *Server) Listen(ctx context.Context) error {
	ln, err := s.options.Address.Listen(ctx)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ln = newGuardedListener(ln, s.connections, s.options.Log)
	s.listener.Store(&ln)
	return nil
}

// Close gives the address up again when Serve will not be called after Listen.
func (s *Server) Close() error { return (*s.listener.Load()).Close() }

// Addr is the address bound, nil before Listen.
func (s *Server) Addr() net.Addr {
	if ln := s.listener.Load(); ln != nil {
		return (*ln).Addr()
	}
	return nil
}

// Serve serves h until ctx ends, then drains: answers end their connections, new connections
// are refused after DrainDelay, and requests in flight get DrainTimeout to finish. It returns
// nil after a clean drain and an error when requests had to be cut.
//
// Requests' contexts do not end with ctx; they end when their client goes away, or are cut.
func (s *Server) Serve(ctx context.Context, h http.Handler) error {
	if s.listener.Load() == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	srv := s.httpServer(h)
	accepting := make(chan error, 1)
	go func() { accepting <- srv.Serve(*s.listener.Load()) }()
	select {
	case err := <-accepting:
		_ = srv.Close()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return s.drain(context.WithoutCancel(ctx), srv, accepting)
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	o := s.options
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(o.HTTP2)
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.serve(r.Context().Value(connKey{}).(*conn), h, w, r)
		}),
		ConnContext:                  withConn,
		Protocols:                    protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame},
		ReadHeaderTimeout:            o.ReadHeaderTimeout,
		IdleTimeout:                  o.IdleTimeout,
		MaxHeaderBytes:               o.Limits.hardLimit(),
		ConnState:                    s.connState,
		ErrorLog:                     slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true, // OPTIONS * is the handler's, like all else
	}
}

func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		if s.open.Add(-1) == 0 {
			select {
			case s.emptied <- struct{}{}:
			default:
			}
		}
	}
}

// Connections are counted.
func (s *Server) Connections() ConnectionStats { return s.connections.stats() }

// ConnectionLimits are those in force.
func (s *Server) ConnectionLimits() ConnectionLimits { return s.connections.limits }

// CloseWaiting closes all connections that have waited for a request for a second or longer, and returns how many, to give
// back the memory that they take.
func (s *Server) CloseWaiting() int { return s.connections.closeWaiting(mostConnections) }

// Draining says whether the drain has begun; it stays true.
func (s *Server) Draining() bool { return s.draining.Load() }

// Live says whether the server takes connections, by making one. While it drains it is
// live too: what restarts dead processes must not cut the requests in flight.
func (s *Server) Live(ctx context.Context) error {
	if s.Draining() {
		return nil
	}
	addr := s.Addr()
	if addr == nil {
		return errors.New("not listening yet")
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return fmt.Errorf("connect to own listener: %w", err)
	}
	return conn.Close()
}
