package feed

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// slot is a session's source in the mode WAL: a temporary replication slot, or the stream of another session's.
type slot struct {
	*session
	// name is the slot's; empty without one.
	name   string
	stream transport
	// place is where the session stands among those that share slots; nil where none do.
	place   place
	decoder decoder
	// receiver gets what the stream brings: the source itself, or what passes it on to the source.
	receiver receiver
	origin   origin
}

func newSlot(s *session) *slot {
	l := &slot{session: s, name: "slipstream_" + random(), decoder: decoder{catalog: &s.catalog, relations: map[uint32]*relation{}}}
	l.receiver = l
	return l
}

// open makes the slot, or finds the leader, from which on the stream runs.
func (s *slot) open(ctx context.Context) error {
	if s.feed.options.Sharing != nil {
		if err := s.takePlace(ctx); err != nil {
			return err
		}
	}
	if s.stream != nil {
		return s.compareOrigin(ctx)
	}
	if err := s.openSlot(ctx); err != nil {
		return err
	}
	if s.place != nil {
		s.place.opened()
	}
	return nil
}

// openSlot begins a stream of the session's own.
func (s *slot) openSlot(ctx context.Context) error {
	if s.feed.options.Sharing != nil {
		problems, err := inspect(ctx, s.conn, WAL, s.feed.options.Publication)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			s.feed.crowded = problems[0].OfSlot()
			return problems[0]
		}
	}
	own, err := openStream(ctx, s.feed.options.DSN)
	if err != nil {
		return err
	}
	s.stream = own
	if err := s.compareOrigin(ctx); err != nil {
		return err
	}
	// Of several hosts, two can say that they are the primary.
	if beside, err := s.askOrigin(ctx); err == nil && beside != s.feed.origin {
		return errors.New("its two connections are to different servers: only one of the hosts may be a primary")
	}
	if err := s.awaitSlot(ctx, own); err != nil {
		return err
	}
	s.feed.update(func(st *Status) { st.Slot = s.name })
	return own.start(ctx, s.name, s.feed.options.Publication)
}

func (s *slot) identify(ctx context.Context) (origin, error) { return s.stream.identify(ctx) }

func (s *slot) run(ctx context.Context) error { return s.stream.run(ctx, s.receiver) }

func (s *slot) prompts() <-chan struct{} { return nil }

func (s *slot) close() {
	if s.stream != nil {
		s.stream.close()
	}
}

// awaitSlot creates the slot, and says for whom it has to wait.
func (s *slot) awaitSlot(ctx context.Context, own *stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	created := make(chan struct{})
	var refused error
	go func() {
		refused = own.createSlot(ctx, s.name)
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
func (s *slot) writers(ctx context.Context) (string, error) {
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

// emitHeartbeat writes a heartbeat into the log. It comes back as soon as its commit is on disk, which is what it waits for
// where nothing more is asked for; with synchronous_commit off, it would come back just as truly but only when the WAL writer
// gets around to it. Where the server has synchronous standbys, it waits for them as other commits do: a primary that they
// have left, since there may be a new one, must not be taken for fresh.
const emitHeartbeat = `
select pg_current_snapshot()::text,
	set_config('synchronous_commit',
		case current_setting('synchronous_standby_names') when '' then 'local' else current_setting('synchronous_commit') end, true),
	pg_logical_emit_message(true, '` + heartbeatPrefix + `', $1::text)::text`

// send implements source. The stream tells positions.
func (s *slot) send(ctx context.Context, nonce string) (snapshot string, position uint64, err error) {
	return snapshot, 0, s.conn.QueryRow(ctx, emitHeartbeat, nonce).Scan(&snapshot, nil, nil)
}

// check implements source: a slot that fell too far behind is lost, and changes of event triggers themselves are not told.
func (s *slot) check(ctx context.Context) error {
	const intact = `
select coalesce((select restart_lsn is not null and wal_status <> 'lost' from pg_replication_slots where slot_name = $1), false),
	` + triggersInstalled
	var ok, triggers bool
	if err := s.conn.QueryRow(ctx, intact, s.name).Scan(&ok, &triggers); err != nil {
		return fmt.Errorf("look at the replication slot: %w", err)
	}
	if !triggers {
		return notInstalled
	}
	if !ok && s.name != "" {
		return errors.New("the replication slot is lost: raise max_slot_wal_keep_size where that happens often")
	}
	return nil
}

func (s *slot) readCatalog(ctx context.Context) (*catalog, error) {
	return readCatalog(ctx, s.conn, s.feed.options.Publication)
}

// message implements receiver.
func (s *slot) message(data []byte) error {
	done, err := s.decoder.decode(data)
	if done == nil || err != nil {
		return err
	}
	s.feed.deliver.Lock()
	defer s.feed.deliver.Unlock()
	if done.schemaChanged {
		s.unseen = append(s.unseen, done.Xid)
		s.schemaChanged(done.Xid)
	}
	if len(done.Changes) > 0 {
		s.feed.handlers.Committed(&done.Transaction)
	}
	s.advance(done.EndLSN)
	s.heard(done.heartbeat, done.Xid, done.EndLSN)
	return nil
}

// reached implements receiver.
func (s *slot) reached(lsn uint64) {
	if s.decoder.open != nil {
		return
	}
	s.feed.deliver.Lock()
	defer s.feed.deliver.Unlock()
	s.advance(lsn)
}

// delivered implements receiver.
func (s *slot) delivered() uint64 {
	s.feed.deliver.Lock()
	defer s.feed.deliver.Unlock()
	return s.applied
}
