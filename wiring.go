package slipstream

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// The methods of this file turn the configuration into the options of the packages below.

func (c Config) pool(log *slog.Logger, trace func(context.Context, string) (context.Context, func(error))) pg.Options {
	o := pg.Options{
		DSN: c.DBURI, MaxConns: c.DBPool, AcquireTimeout: c.DBPoolAcquisitionTimeout,
		ParkWrites: c.FailoverParkWrites, ParkTime: c.FailoverParkTime,
		MaxIdle: c.DBPoolMaxIdletime, MaxLifetime: c.DBPoolMaxLifetime,
		Unprepared: c.DisablePreparedStatements, Logger: log, Trace: trace,
	}
	if !c.DisableOverloadProtection {
		o.Classes = rest.Classes()
	}
	return o
}

// trace is called around every statement of a request.
func (s *Server) trace(ctx context.Context, sql string) (context.Context, func(error)) {
	cfg := &s.current.Load().config
	if cfg.LogQuery {
		telemetry.RequestFrom(ctx).AddSQL(sql)
	}
	if s.tracer == nil && !cfg.DisablePoolRecovery {
		return ctx, func(error) {} // allocates nothing
	}
	ctx, span := s.tracer.StartQuery(ctx, sql)
	return ctx, func(err error) {
		span.EndQuery(queryCode(err))
		if cfg.DisablePoolRecovery && lost(err) {
			s.requestReload() // which finds out whether it was this connection only
		}
	}
}

// lost reports whether the database could not be reached, as opposed to having answered.
func lost(err error) bool {
	var connect *pg.ConnectError
	var broken *pg.LostError
	return errors.As(err, &connect) || errors.As(err, &broken)
}

// queryCode is the SQLSTATE of a failed statement, or what stands for one.
func queryCode(err error) string {
	var answered *pg.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &answered):
		return answered.Code
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "connection"
}

func (c Config) apiServer(log *slog.Logger) edge.ServerOptions {
	return edge.ServerOptions{
		Address: edge.Address{
			Host: c.ServerHost, Port: max(c.ServerPort, 0), ReusePort: c.ServerReusePort,
			Socket: c.ServerUnixSocket, SocketMode: socketMode(c.ServerUnixSocketMode),
		},
		Limits: c.limits(), Connections: c.connectionLimits(), HTTP2: !c.DisableHTTP2,
		DrainDelay: c.ServerDrainDelay, DrainTimeout: c.ServerDrainTimeout, Log: log,
	}
}

func (c Config) adminServer(log *slog.Logger) edge.ServerOptions {
	return edge.ServerOptions{
		Address: edge.Address{
			Host: c.AdminServerHost, Port: max(c.AdminServerPort, 0), OrAnyPort: c.adminBesideAPI(),
			Socket: c.AdminServerUnixSocket, SocketMode: socketMode(c.AdminServerUnixSocketMode),
		},
		Connections:  edge.ConnectionLimits{Total: adminConnections},
		DrainTimeout: time.Second, Log: log,
	}
}

// adminBesideAPI is true where the admin server has its default port. PostgREST has none by default, so that a port which
// happens to be taken must not keep the API from starting.
func (c Config) adminBesideAPI() bool { return c.ServerPort > 0 && c.AdminServerPort == c.ServerPort+1 }

func socketMode(octal string) fs.FileMode {
	n, err := strconv.ParseUint(octal, 8, 32)
	if err != nil {
		return 0 // validated before; the listener's default applies
	}
	return fs.FileMode(n)
}

func (c Config) accessOutput() telemetry.Output {
	const mib, day = 1 << 20, 24 * time.Hour
	return telemetry.Output{
		Path: c.AccessLog, MaxSizeMB: int((c.AccessLogMaxSize + mib - 1) / mib),
		MaxAgeDays: int((c.AccessLogMaxAge + day - 1) / day), MaxBackups: c.AccessLogMaxBackups, Compress: true,
	}
}

// tracer takes http(s)://host:port for OTLP over HTTP and host:port for gRPC.
func (c Config) tracer() telemetry.TracerOptions {
	o := telemetry.TracerOptions{Endpoint: c.OTLPEndpoint, Version: Version()}
	if o.Endpoint != "" && !strings.Contains(o.Endpoint, "://") {
		o.Endpoint, o.Protocol = "http://"+o.Endpoint, "grpc"
	}
	return o
}

// secretMaterial is what of jwt-secret only the configuration knows, or "": public keys and addresses are no secret.
func (c Config) secretMaterial() string {
	s := strings.TrimSpace(c.JWTSecret)
	switch {
	case strings.HasPrefix(s, "http://"), strings.HasPrefix(s, "https://"):
		return ""
	case !strings.HasPrefix(s, "{"):
		return s
	}
	type key struct {
		Kty string `json:"kty"`
	}
	var set struct {
		key
		Keys []key `json:"keys"`
	}
	if json.Unmarshal([]byte(s), &set) != nil || !slices.ContainsFunc(append(set.Keys, set.key), func(k key) bool { return k.Kty == "oct" }) {
		return ""
	}
	return s
}

// Version of the module as the Go toolchain stamped it, or "(devel)".
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
