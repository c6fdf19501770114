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
	plain  bool    // the role may not replicate, and the connection is an ordinary one
}

// NewStandby takes the DSN of one server. Without the right REPLICATION, the role cannot see all: see Sight.Vague. It connects
// to nothing.
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
	// System is the identifier of its cluster, and Timeline the history that it replays.
	System   uint64
	Timeline uint32
	// Vague is true where the role may not replicate. Timeline is then the one of the control file, which can be as old as the
	// last restartpoint: about checkpoint_timeout.
	Vague bool
	// Database is the name of the one that was asked.
	Database string
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
		if err := s.connect(ctx); err != nil {
			return sight, err
		}
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
	identify := s.stream.identify
	if sight.Vague = s.plain; sight.Vague {
		identify = s.stream.identifyPlainly
	}
	o, err := identify(ctx)
	if s.plain && s.stream.mayReplicate(ctx) {
		s.Close() // the next look sees all
	}
	sight.System, sight.Timeline, sight.Database = o.system, o.timeline, o.database
	return sight, err
}

// connect makes an ordinary connection where the role may not have one for replication.
func (s *Standby) connect(ctx context.Context) error {
	s.plain = false
	conn, err := pgconn.ConnectConfig(ctx, s.config)
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == "42501" { // insufficient_privilege
		config := s.config.Copy()
		delete(config.RuntimeParams, "replication")
		conn, err = pgconn.ConnectConfig(ctx, config)
		s.plain = true
	}
	if err != nil {
		return err
	}
	s.stream = &stream{conn: conn}
	return nil
}

// mayReplicate reports whether the role has got the right meanwhile.
func (s *stream) mayReplicate(ctx context.Context) bool {
	row, err := s.row(ctx, "select rolreplication or rolsuper, 0 from pg_catalog.pg_roles where rolname = session_user")
	return err == nil && string(row[0]) == "t"
}

// identifyPlainly is identify for a connection that is not for replication. Of the two timelines in the control file the later
// one is nearer to what is being replayed.
func (s *stream) identifyPlainly(ctx context.Context) (o origin, err error) {
	row, err := s.row(ctx, `select (select system_identifier from pg_catalog.pg_control_system()), greatest(
		(select timeline_id from pg_catalog.pg_control_checkpoint()), (select min_recovery_end_timeline from pg_catalog.pg_control_recovery())),
		pg_catalog.current_database()`)
	if err != nil {
		return o, err
	}
	system, err := strconv.ParseInt(string(row[0]), 10, 64) // SQL has no unsigned integers
	if err != nil {
		return o, fmt.Errorf("the system's identifier: %w", err)
	}
	timeline, err := strconv.ParseUint(string(row[1]), 10, 32)
	if err != nil {
		return o, fmt.Errorf("the server's timeline: %w", err)
	}
	return origin{uint64(system), uint32(timeline), string(row[2])}, nil
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
	case s.Vague:
		return "its timeline is not certain; ALTER ROLE ... REPLICATION for the role of the connection"
	case s.System != ours.system:
		return "it is not of the primary's cluster"
	case s.Database != ours.database:
		return "it is asked for another database"
	case s.Timeline != ours.timeline:
		return fmt.Sprintf("it is on timeline %d, and the primary on %d", s.Timeline, ours.timeline)
	}
	return ""
}
