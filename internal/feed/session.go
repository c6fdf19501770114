package feed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// source is where a session's changes come from, and the way of its heartbeats.
type source interface {
	// open begins: what is committed after it is delivered by run.
	open(ctx context.Context) error
	// identify tells which server it is; zero where that is not known.
	identify(ctx context.Context) (origin, error)
	// run passes on what comes until ctx ends or the source breaks. Its error is never nil.
	run(ctx context.Context) error
	// send commits a heartbeat on the session's conn; run hears its nonce. The snapshot is the one with which it ran. All that
	// was committed before the position is delivered before the nonce; 0 where run itself tells positions.
	send(ctx context.Context, nonce string) (snapshot string, position uint64, err error)
	// check finds out, on the session's conn, whether changes still can be had.
	check(ctx context.Context) error
	// readCatalog reads, on the session's conn, which tables' changes come.
	readCatalog(ctx context.Context) (*catalog, error)
	// prompts asks for heartbeats out of turn; nil where none are needed.
	prompts() <-chan struct{}
	close()
}

// session is the life of one source.
type session struct {
	feed   *Feed
	source source
	// conn is for all that is no source; at any time it is one goroutine's.
	conn *pgx.Conn
	// warned is set when the server sent a warning on conn.
	warned bool
	// becameLive is called once.
	becameLive func()
	// work is what goes on beside the source, and end the end of all.
	work sync.WaitGroup
	end  context.CancelCauseFunc
	// catalog to look tables up in; nil while none can be relied upon. It is stored under feed.deliver.
	catalog atomic.Pointer[catalog]

	// What follows is guarded by feed.deliver.

	live bool
	// applied is the LSN up to which transactions were delivered.
	applied uint64
	// generation counts schema changes. Those of unseen may be invisible to queries still.
	generation uint64
	unseen     []uint32
	// beats are those that were sent and did not come back, by nonce.
	beats map[string]*flight
	// floor is the transaction id below which there may be a transaction that began before the source.
	floor uint64
	// reliable is the number of tables that Published was last called with.
	reliable int
}

// session follows one source until ctx ends or it breaks; it always returns an error. becameLive is called when the feed
// becomes Live.
func (f *Feed) session(ctx context.Context, becameLive func()) error {
	s := &session{feed: f, becameLive: becameLive, beats: map[string]*flight{}}
	f.setState(Starting, "connecting to the database")
	ctx, s.end = context.WithCancelCause(ctx)
	err := s.open(ctx)
	if err == nil {
		s.work.Go(func() { s.end(s.beat(ctx)) })
		s.work.Go(func() {
			select {
			case <-ctx.Done():
			case <-f.restarts:
				s.end(errAnotherPrimary)
			}
		})
		err = s.source.run(ctx)
	}
	s.end(err)
	s.work.Wait()
	s.close()
	return context.Cause(ctx)
}

var errAnotherPrimary = errors.New("the database has another primary")

// random is what no other session in the world has.
func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// open makes the connections, and takes the first source that the database is prepared for.
func (s *session) open(ctx context.Context) (err error) {
	if s.conn, err = connect(ctx, s.feed.options.DSN, nil, func() { s.warned = true }); err != nil {
		return err
	}
	mode, err := s.choose(ctx)
	if err != nil {
		return err
	}
	s.feed.update(func(st *Status) { st.Mode = mode })
	if mode == Notify {
		s.source = &listener{session: s}
	} else {
		s.source = newSlot(s)
	}
	return s.source.open(ctx)
}

// choose finds the first mode that nothing keeps the session from. The error is what is wrong with the first of all.
func (s *session) choose(ctx context.Context) (Mode, error) {
	var first error
	for _, mode := range s.feed.options.Modes {
		problems, err := inspect(ctx, s.conn, mode, s.feed.options.Publication)
		if err != nil {
			return "", err
		}
		if len(problems) == 0 || s.feed.options.Sharing != nil && mode == WAL && problems[0].OfSlot() {
			return mode, nil
		}
		if first == nil {
			first = problems[0]
		}
	}
	return "", first
}

// connect opens an ordinary connection to the primary among the DSN's hosts. It has no timeouts: what the database sets
// for the login role is meant for requests.
func connect(ctx context.Context, dsn string, parameters map[string]string, warned func()) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.DialFunc = dialer().DialContext
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	for name, value := range map[string]string{
		"application_name": "slipstream feed", "search_path": "pg_catalog", "statement_timeout": "0", "lock_timeout": "0",
	} {
		setParameter(config.RuntimeParams, name, value)
	}
	for name, value := range parameters {
		setParameter(config.RuntimeParams, name, value)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			warned()
		}
	}
	return pgx.ConnectConfig(ctx, config)
}

func (s *session) close() {
	if s.source != nil {
		s.source.close()
	}
	if s.conn != nil {
		closeConn(s.conn)
	}
}

func closeConn(conn *pgx.Conn) {
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(closing)
}

// askOrigin asks which server it is without the replication protocol. The timeline is that of the segment that is being
// written.
func (s *session) askOrigin(ctx context.Context) (origin, error) {
	const server = `
select system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint, current_database()::text
from pg_control_system()`
	var system, timeline int64
	var database string
	err := s.conn.QueryRow(ctx, server).Scan(&system, &timeline, &database)
	return origin{uint64(system), uint32(timeline), database}, err
}

// compareOrigin says so when the server is not the last session's.
func (s *session) compareOrigin(ctx context.Context) error {
	now, err := s.source.identify(ctx)
	if err != nil {
		return err
	}
	if last := s.feed.origin; last != (origin{}) && now != (origin{}) && last != now {
		s.feed.options.Logger.Warn("the change feed follows another server than before",
			"system", now.system, "timeline", now.timeline, "last_system", last.system, "last_timeline", last.timeline)
	}
	s.feed.update(func(st *Status) {
		s.feed.origin = now
		st.Session, st.System, st.Timeline = random(), now.system, now.timeline
	})
	if s.feed.options.Meet == nil || now == (origin{}) {
		return nil
	}
	if err := s.feed.options.Meet(now.system, now.timeline); err != nil {
		return fmt.Errorf("the change feed does not follow timeline %d: %w", now.timeline, err)
	}
	return nil
}

func (s *session) advance(lsn uint64) {
	if lsn <= s.applied {
		return
	}
	s.applied = lsn
	s.feed.update(func(st *Status) { st.Applied = lsn })
	s.feed.handlers.Applied(lsn)
}

// schemaChanged voids all that is known of tables.
func (s *session) schemaChanged(xid uint32) {
	s.generation++
	s.catalog.Store(nil)
	s.reliable = 0
	s.feed.update(func(st *Status) { st.Tables = 0 })
	s.feed.handlers.SchemaChanged(xid)
}
