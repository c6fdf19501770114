package pg

import (
	"context"
	"net"
	"path"
	"regexp"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// host is one of those that a connection string names.
type host struct {
	at      pgconn.FallbackConfig
	another []*pgconn.FallbackConfig // ways to the same host, such as without TLS
	// eye is a connection to look at it with; nil while there is none. One goroutine looks at a time.
	eye *pgconn.PgConn
}

// hostsOf are the hosts of a connection string, in its order.
func hostsOf(c *pgx.ConnConfig) []*host {
	var hosts []*host
	for _, f := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...) {
		if n := len(hosts); n > 0 && hosts[n-1].at.Host == f.Host && hosts[n-1].at.Port == f.Port {
			hosts[n-1].another = append(hosts[n-1].another, f)
			continue
		}
		hosts = append(hosts, &host{at: *f})
	}
	return hosts
}

func (h *host) String() string {
	port := strconv.Itoa(int(h.at.Port))
	if path.IsAbs(h.at.Host) {
		return path.Join(h.at.Host, ".s.PGSQL."+port)
	}
	return net.JoinHostPort(h.at.Host, port)
}

// only makes a configuration lead to this host alone.
func (h *host) only(c *pgconn.Config) {
	c.Host, c.Port, c.TLSConfig, c.Fallbacks = h.at.Host, h.at.Port, h.at.TLSConfig, h.another
}

// look asks the host who it is, on a connection that is kept. Who finds that one dead tries once with a new one.
func (h *host) look(ctx context.Context, config *pgx.ConnConfig) (identity, error) {
	kept := h.eye != nil
	if !kept {
		c := config.Copy()
		h.only(&c.Config)
		c.ValidateConnect = nil
		c.RuntimeParams["application_name"] += " lookout"
		var err error
		if h.eye, err = pgconn.ConnectConfig(ctx, &c.Config); err != nil {
			return identity{}, err
		}
	}
	id, err := identify(ctx, h.eye)
	if err == nil {
		return id, nil
	}
	h.close()
	if kept && ctx.Err() == nil {
		return h.look(ctx, config)
	}
	return identity{}, err
}

func (h *host) close() {
	if h.eye != nil {
		closeNow(h.eye)
		h.eye = nil
	}
}

// sighting is what came of a look at a host.
type sighting struct {
	host *host
	identity
	err error
}

// lookAt looks at all hosts at a time.
func lookAt(ctx context.Context, hosts []*host, config *pgx.ConnConfig) []sighting {
	seen := make([]sighting, len(hosts))
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() {
			id, err := h.look(ctx, config)
			seen[i] = sighting{h, id, err}
		})
	}
	all.Wait()
	return seen
}

// targetAny finds a wish for any server, in a URI or in key=value pairs.
var targetAny = regexp.MustCompile(`target_session_attrs\s*=\s*'?any\b`)

// wantsPrimary reports whether a connection string with several hosts leaves it to us to find the primary among them.
// Who wants something else says so: target_session_attrs=any takes whoever answers first.
func wantsPrimary(dsn string, c *pgx.ConnConfig) bool {
	if len(hostsOf(c)) < 2 || targetAny.MatchString(dsn) {
		return false
	}
	return c.ValidateConnect == nil || targetPrimary.MatchString(dsn)
}

var targetPrimary = regexp.MustCompile(`target_session_attrs\s*=\s*'?(primary|read-write)\b`)

// HostState is what a host of a connection string is at the moment.
type HostState struct {
	Name     string
	Standby  bool
	Timeline uint32 // of a primary, 0 where it does not tell
	Err      error  // why it cannot be looked at
}

// Hosts looks at all hosts of a connection string; nil where there is one only, or where any server is wanted.
func Hosts(ctx context.Context, dsn string) ([]HostState, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, hideDSN(err)
	}
	if !wantsPrimary(dsn, config) {
		return nil, nil
	}
	hosts := hostsOf(config)
	var states []HostState
	for _, s := range lookAt(ctx, hosts, config) {
		states = append(states, HostState{s.host.String(), s.recovering, s.timeline, s.err})
		s.host.close()
	}
	return states, nil
}
