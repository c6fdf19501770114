package slipstream

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/limit"
)

// connectionLimits are those of the API's listener. What is left of the descriptors is for the database, the admin server,
// logs and standbys.
func (c Config) connectionLimits() edge.ConnectionLimits {
	const perPoolConnection = 4
	total := c.ServerMaxConnections
	if total == 0 {
		total = edge.DefaultConnections(perPoolConnection * c.DBPool)
	}
	trusted, _ := c.trustedProxies() // validated
	return edge.ConnectionLimits{Total: total, PerAddress: c.ServerMaxConnectionsPerIP, Exempt: func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}}
}

// adminConnections are few, and not the API's: /ready and /metrics answer while that is full.
const adminConnections = 64

// bufferMemory is how much bodies and answers under way may take, in bytes.
func (c Config) bufferMemory(guard *limit.Memory) int64 {
	const unknown = 1 << 30
	if c.BufferMemory > 0 {
		return c.BufferMemory
	}
	if n := guard.Limit(); n > 0 {
		return n / 4
	}
	if n, err := memlimit.FromSystem(); err == nil && n > 0 {
		return int64(n / 4)
	}
	return unknown
}

// newMemory watches the memory; its Level is MemoryFine until it runs.
func (s *Server) newMemory(log *slog.Logger) *limit.Memory {
	return limit.NewMemory(limit.MemoryOptions{Log: log, Relieve: func() {
		if n := s.api.CloseWaiting(); n > 0 {
			log.Warn("memory is short, connections that waited were closed", "connections", n)
		}
	}})
}

// whileMemory answers 503 while memory is so short that the process may be ended for it.
func (s *Server) whileMemory(v apierr.Verbosity) edge.Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.memory.Level() >= limit.MemoryCritical {
				edge.WriteError(w, r, errMemory(), v)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func errMemory() *apierr.Error {
	return &apierr.Error{
		Code: "SLIP234", Message: "The server is short of memory", Hint: "Try again later",
		Header: http.Header{"Retry-After": {"2"}},
	}
}

// watchHygiene adds the metrics of connections and memory.
func (s *Server) watchHygiene() error {
	type metric struct {
		add        func(name, help string, f func() float64) error
		name, help string
		value      func() float64
	}
	counter, gauge := s.metrics.CounterFunc, s.metrics.GaugeFunc
	of := func(pick func(edge.ConnectionStats) int64) func() float64 {
		return func() float64 { return float64(pick(s.api.Connections())) }
	}
	var all error
	for _, m := range []metric{
		{gauge, "slipstream_connections", "Connections of clients.", of(func(c edge.ConnectionStats) int64 { return int64(c.Open) })},
		{gauge, "slipstream_connections_max", "Most connections of clients that are taken.", func() float64 { return float64(s.api.ConnectionLimits().Total) }},
		{counter, "slipstream_connections_refused_total", "Connections refused since there were too many.", of(func(c edge.ConnectionStats) int64 { return c.RefusedTotal })},
		{counter, "slipstream_connections_refused_address_total", "Connections refused since there were too many from their address.", of(func(c edge.ConnectionStats) int64 { return c.RefusedAddress })},
		{counter, "slipstream_connections_evicted_total", "Waiting connections closed to make room for others or for want of memory.", of(func(c edge.ConnectionStats) int64 { return c.Evicted })},
		{counter, "slipstream_connections_stalled_total", "Connections closed since their client did not take its answers.", of(func(c edge.ConnectionStats) int64 { return c.Stalled })},
		{counter, "slipstream_http2_resets_total", "Connections of HTTP/2 closed since most of their requests were taken back.", of(func(c edge.ConnectionStats) int64 { return c.Reset })},
		{counter, "slipstream_slow_bodies_total", "Requests refused since their body came too slowly.", of(func(c edge.ConnectionStats) int64 { return c.SlowBodies })},
		{gauge, "slipstream_buffers_bytes", "Memory of bodies and large answers under way.", func() float64 { return float64(s.buffers.Used()) }},
		{gauge, "slipstream_buffers_max_bytes", "Most memory for bodies and large answers under way.", func() float64 { return float64(s.buffers.Max()) }},
		{counter, "slipstream_buffers_refused_total", "Bodies and answers for which there was no room.", func() float64 { return float64(s.buffers.Refused()) }},
		{gauge, "slipstream_memory_level", "How short of memory the process is: 0 fine, 1 tight, 2 short, 3 critical.", func() float64 { return float64(s.memory.Level()) }},
		{gauge, "slipstream_memory_ratio", "Used part of the memory that the process may take; 0 without a limit.", func() float64 { return s.memory.Ratio() }},
		{gauge, "slipstream_draining", "1 while the server drains.", func() float64 {
			if s.api.Draining() {
				return 1
			}
			return 0
		}},
	} {
		all = errors.Join(all, m.add(m.name, m.help, m.value))
	}
	return all
}
