package loadtest

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync/atomic"
)

// dialer opens connections to a load's target.
type dialer struct {
	load   *Load
	opened atomic.Uint64
	open   atomic.Int64
	most   atomic.Int64
}

// dial opens a connection, without TLS.
func (d *dialer) dial(ctx context.Context, network, address string) (*meter, error) {
	open := d.load.Dial
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	conn, err := open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.opened.Add(1)
	now := d.open.Add(1)
	for most := d.most.Load(); now > most && !d.most.CompareAndSwap(most, now); most = d.most.Load() {
	}
	return &meter{Conn: conn, dialer: d}, nil
}

// tlsConfig is the load's, for a protocol's name of ALPN.
func (d *dialer) tlsConfig(protocol string) *tls.Config {
	config := &tls.Config{}
	if d.load.TLS != nil {
		config = d.load.TLS.Clone()
	}
	config.NextProtos = []string{protocol}
	if config.ServerName == "" {
		config.ServerName = d.load.Target.Hostname()
	}
	return config
}

// address is the target's, with its port.
func address(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = "80"
		if target.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(target.Hostname(), port)
}

// meter counts what goes over a connection. One goroutine at a time reads it, and one writes it.
type meter struct {
	net.Conn
	dialer  *dialer
	in, out int
	closed  atomic.Bool
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.in += n
	return n, err
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.out += n
	return n, err
}

func (m *meter) Close() error {
	if m.closed.CompareAndSwap(false, true) {
		m.dialer.open.Add(-1)
	}
	return m.Conn.Close()
}
