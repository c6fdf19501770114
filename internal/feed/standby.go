package feed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// Standby looks at a server that may be a streaming standby of the one that a Feed follows. It is one goroutine's.
type Standby struct {
	config *pgconn.Config
	stream *stream // nil while there is no connection
}

// NewStandby takes the DSN of one server, for a role with the right REPLICATION. It connects to nothing.
func NewStandby(dsn string) (*Standby, error) {
	config, err := streamConfig(dsn)
	if err != nil {
		return nil, pg.HideDSN(err)
	}
	for _, f := range config.Fallbacks { // which there also are for doing without TLS
		if f.Host != config.Host || f.Port != config.Port {
			return nil, errors.New("it names several hosts: each standby needs a connection string of its own")
		}
	}
	return &Standby{config: config}, nil
}

// Name is the host and the port.
func (s *Standby) Name() string {
	port := strconv.Itoa(int(s.config.Port))
	if path.IsAbs(s.config.Host) {
		return path.Join(s.config.Host, ".s.PGSQL."+port)
	}
	return net.JoinHostPort(s.config.Host, port)
}

// Sight is what a server was at one look.
type Sight struct {
	// Recovering is true of standbys.
	Recovering bool
	// Replayed is the position in the log (an LSN) up to which it had replayed at least.
	Replayed uint64

	origin origin
}

// Look looks at the server. It connects if there is no connection, and keeps it. The error says what to do about it where
// that is known.
func (s *Standby) Look(ctx context.Context) (Sight, error) {
	sight, err := s.look(ctx)
	if err != nil {
		s.Close()
		return Sight{}, errors.New(explain(err))
	}
	return sight, nil
}

// look asks for the position before it asks for the timeline: timelines do not come back, so the position is on that one.
func (s *Standby) look(ctx context.Context) (sight Sight, err error) {
	if s.stream == nil {
		conn, err := pgconn.ConnectConfig(ctx, s.config)
		if err != nil {
			return sight, err
		}
		s.stream = &stream{conn: conn}
	}
	const state = "select pg_catalog.pg_is_in_recovery(), coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0') - '0/0'"
	row, err := s.stream.row(ctx, state)
	if err != nil {
		return sight, err
	}
	sight.Recovering = string(row[0]) == "t"
	if sight.Replayed, err = strconv.ParseUint(string(row[1]), 10, 64); err != nil {
		return sight, err
	}
	sight.origin, err = s.stream.identify(ctx)
	return sight, err
}

// Close ends the connection, if there is one. The next Look makes a new one.
func (s *Standby) Close() {
	if s.stream != nil {
		s.stream.close()
		s.stream = nil
	}
}

// Alien says why a server is no standby of the one that the feed follows, or nothing: only then do the positions in their
// logs mean the same.
func (f *Feed) Alien(s Sight) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch ours := f.origin; {
	case f.status.Mode != WAL:
		return "the positions of changes are not known, which the write-ahead log alone tells"
	case !s.Recovering:
		return "it is no standby"
	case s.origin.system != ours.system:
		return "it is not of the primary's cluster"
	case s.origin.database != ours.database:
		return "it is asked for another database"
	case s.origin.timeline != ours.timeline:
		return fmt.Sprintf("it is on timeline %d, and the primary on %d", s.origin.timeline, ours.timeline)
	}
	return ""
}
