package feed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is the life of one replication slot.
type session struct {
	feed *Feed
	// name is the slot's.
	name string
	// nonce tells this session's heartbeats from all others. Nobody else knows it: everybody may write into the log.
	nonce  string
	stream *stream
	// conn is for all that is no stream; at any time it is one goroutine's.
	conn *pgx.Conn
	// warned is set when the server sent a warning on conn.
	warned bool
	// becameLive is called once.
	becameLive func()

	decoder decoder

	// What follows is guarded by feed.deliver.

	live bool
	// applied is the LSN up to which transactions were delivered.
	applied uint64
	// generation counts schema changes. Those of unseen may be invisible to queries still.
	generation uint64
	unseen     []uint32
	// beats are those that were sent and did not come back, by number.
	beats map[uint64]*flight
	sent  uint64
	// floor is the transaction id below which there may be a transaction that began before the stream.
	floor uint64
	// reliable is the number of tables that Published was last called with.
	reliable int
}

// session follows one slot until ctx ends or the stream breaks; it always returns an error. becameLive is called when
// the feed becomes Live.
func (f *Feed) session(ctx context.Context, becameLive func()) error {
	s := &session{feed: f, name: "slipstream_" + random(), nonce: random(), becameLive: becameLive, beats: map[uint64]*flight{}}
	s.decoder.relations = map[uint32]*relation{}
	f.setState(Starting, "connecting to the database")
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithCancelCause(ctx)
	var heart sync.WaitGroup
	heart.Go(func() { cancel(s.beat(ctx)) })
	cancel(s.stream.run(ctx, s))
	heart.Wait()
	return context.Cause(ctx)
}

// random is what no other session in the world has.
func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// open makes the connections, and the slot, from which on the stream runs. What is opened is closed again on errors.
func (s *session) open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.conn, err = connect(ctx, s.feed.options.DSN, func() { s.warned = true }); err != nil {
		return err
	}
	problems, err := inspect(ctx, s.conn, s.feed.options.Publication)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return problems[0]
	}
	if s.stream, err = openStream(ctx, s.feed.options.DSN); err != nil {
		return err
	}
	if err := s.compareOrigin(ctx); err != nil {
		return err
	}
	if err := s.awaitSlot(ctx); err != nil {
		return err
	}
	s.feed.update(func(st *Status) { st.Slot = s.name })
	return s.stream.start(ctx, s.name, s.feed.options.Publication)
}

// connect opens an ordinary connection to the primary among the DSN's hosts. It has no timeouts: what the database sets
// for the login role is meant for requests.
func connect(ctx context.Context, dsn string, warned func()) (*pgx.Conn, error) {
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
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			warned()
		}
	}
	return pgx.ConnectConfig(ctx, config)
}

func (s *session) close() {
	if s.stream != nil {
		s.stream.close()
	}
	if s.conn != nil {
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.conn.Close(closing)
	}
}

// compareOrigin says so when the server is not the last session's.
func (s *session) compareOrigin(ctx context.Context) error {
	now, err := s.stream.identify(ctx)
	if err != nil {
		return err
	}
	if last := s.feed.origin; last != (origin{}) && last != now {
		s.feed.options.Logger.Warn("the change feed follows another server than before",
			"system", now.system, "timeline", now.timeline, "last_system", last.system, "last_timeline", last.timeline)
	}
	s.feed.origin = now
	return nil
}

// awaitSlot creates the slot, and says for whom it has to wait.
func (s *session) awaitSlot(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	created := make(chan struct{})
	var refused error
	go func() {
		refused = s.stream.createSlot(ctx, s.name)
		close(created)
	}()
	for {
		select {
		case <-created:
			return refused
		case <-time.After(s.feed.options.Heartbeat):
		}
		reason, err := s.writers(ctx)
		if err != nil {
			cancel()
			<-created
			return err
		}
		s.feed.setState(Starting, reason)
	}
}

// writers says which transactions keep the stream from its start.
func (s *session) writers(ctx context.Context) (string, error) {
	const running = `
select count(*)::int, coalesce((array_agg(whose order by age(xid) desc))[1], '')
from (select backend_xid, 'process ' || pid from pg_stat_activity where backend_xid is not null
      union all select transaction, 'prepared transaction ' || gid from pg_prepared_xacts) t (xid, whose)`
	var n int
	var oldest string
	if err := s.conn.QueryRow(ctx, running).Scan(&n, &oldest); err != nil {
		return "", fmt.Errorf("look for running transactions: %w", err)
	}
	if n == 0 {
		return "waiting for the replication slot", nil
	}
	return fmt.Sprintf("waiting for %d write transactions that are open, the oldest by %s", n, oldest), nil
}

// message implements receiver.
func (s *session) message(data []byte) error {
	done, err := s.decoder.decode(data)
	if done == nil || err != nil {
		return err
	}
	s.feed.deliver.Lock()
	defer s.feed.deliver.Unlock()
	if done.schemaChanged {
		s.schemaChanged(done.Xid)
	}
	if len(done.Changes) > 0 {
		s.feed.handlers.Committed(&done.Transaction)
	}
	s.advance(done.EndLSN)
	if done.heartbeat == "" {
		return nil
	}
	return s.heard(done)
}

// reached implements receiver.
func (s *session) reached(lsn uint64) {
	if s.decoder.open != nil {
		return
	}
	s.feed.deliver.Lock()
	defer s.feed.deliver.Unlock()
	s.advance(lsn)
}

// delivered implements receiver.
func (s *session) delivered() uint64 {
	s.feed.deliver.Lock()
	defer s.feed.deliver.Unlock()
	return s.applied
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
	s.unseen = append(s.unseen, xid)
	s.decoder.catalog.Store(nil)
	s.reliable = 0
	s.feed.update(func(st *Status) { st.Tables = 0 })
	s.feed.handlers.SchemaChanged(xid)
}
