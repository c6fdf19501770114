package feed

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

const (
	// pollEvery is the age from which what is not in the log is looked at again, before the next heartbeat.
	pollEvery = 2 * time.Second
	// mostBeats is how many heartbeats may be under way. A stalled stream does not gain by more.
	mostBeats = 64
)

// sendHeartbeat writes a heartbeat into the log, with the snapshot under which it does. A heartbeat comes back as soon
// as its commit is on disk, which is what it waits for where nothing more is asked for; with synchronous_commit off,
// it would come back just as truly but only when the WAL writer gets around to it. Where the server has synchronous
// standbys, it waits for them as other commits do: a primary that they have left, since there may be a new one, must
// not be taken for fresh.
const sendHeartbeat = `
select set_config('synchronous_commit',
		case current_setting('synchronous_standby_names') when '' then 'local' else current_setting('synchronous_commit') end, true),
	pg_logical_emit_message(true, '` + heartbeatPrefix + `', $1 || ' ' || pg_current_snapshot()::text)`

// flight is a heartbeat under way. It is back when it has been heard in the stream and its commit been acknowledged:
// on a primary without its synchronous standbys, the one comes without the other.
type flight struct {
	Beat
	heard, acknowledged bool
	// catalog is the last that was read before it was sent.
	catalog *catalog
}

// heart sends a session's heartbeats.
type heart struct {
	*session
	catalog  *catalog
	floors   floors
	unlogged string // what poll found
	polled   time.Duration
}

// beat sends heartbeats until ctx ends or one fails.
func (s *session) beat(ctx context.Context) error {
	h := &heart{session: s, floors: floors{}}
	if err := h.poll(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(s.feed.options.Heartbeat)
	defer ticker.Stop()
	for {
		if err := h.tick(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// tick does what is due: the polls come before the heartbeat, so that a heartbeat that comes back also shows that what
// they look at is no older than pollEvery before it.
func (h *heart) tick(ctx context.Context) error {
	stale := h.stale()
	if !stale && !h.feed.options.Active() {
		return nil
	}
	if h.feed.options.Clock()-h.polled >= pollEvery {
		if err := h.poll(ctx); err != nil {
			return err
		}
	}
	if stale {
		if err := h.readCatalog(ctx); err != nil {
			return err
		}
	}
	return h.send(ctx)
}

// stale reports whether there is something that only heartbeats can settle.
func (h *heart) stale() bool {
	h.feed.deliver.Lock()
	defer h.feed.deliver.Unlock()
	return !h.live || h.decoder.catalog.Load() == nil
}

// readCatalog reads the catalog unless the last one still can be confirmed.
func (h *heart) readCatalog(ctx context.Context) error {
	h.feed.deliver.Lock()
	generation, unseen := h.generation, append([]uint32(nil), h.unseen...)
	h.feed.deliver.Unlock()
	if h.catalog != nil && h.catalog.generation == generation {
		return nil
	}
	c, err := readCatalog(ctx, h.conn, h.feed.options.Publication)
	if err != nil {
		return err
	}
	for _, xid := range unseen {
		if !c.snapshot.Saw(xid) {
			return nil
		}
	}
	c.generation = generation
	h.floors.set(c)
	h.catalog = c
	h.feed.deliver.Lock()
	defer h.feed.deliver.Unlock()
	if h.floor == 0 {
		h.floor = c.begun
	}
	return nil
}

// send sends a heartbeat, unless too many are under way.
func (h *heart) send(ctx context.Context) error {
	number, ok := h.depart()
	if !ok {
		return nil
	}
	h.warned = false
	content := h.nonce + " " + strconv.FormatUint(number, 10)
	if _, err := h.conn.Exec(ctx, sendHeartbeat, content); err != nil {
		return fmt.Errorf("send a heartbeat: %w", err)
	}
	h.feed.deliver.Lock()
	defer h.feed.deliver.Unlock()
	b := h.beats[number]
	if h.warned {
		// A wait for synchronous standbys that somebody cancels ends in a warning.
		delete(h.beats, number)
		return nil
	}
	b.acknowledged = true
	if b.heard {
		h.back(number)
	}
	return nil
}

func (h *heart) depart() (number uint64, ok bool) {
	h.feed.deliver.Lock()
	defer h.feed.deliver.Unlock()
	if len(h.beats) >= mostBeats {
		return 0, false
	}
	h.sent++
	b := &flight{catalog: h.catalog}
	b.Source = sha256.Sum256([]byte(h.feed.origin.system + " " + h.feed.origin.timeline + " " + h.unlogged))
	b.Ticket = h.feed.handlers.Sending()
	b.Sent = h.feed.options.Clock()
	h.beats[h.sent] = b
	return h.sent, true
}

// heard takes a heartbeat that came through the stream. Its content is the session's nonce, a number and the snapshot.
func (s *session) heard(done *assembly) error {
	parts := strings.Fields(done.heartbeat)
	if len(parts) != 3 || parts[0] != s.nonce {
		return nil // another's
	}
	number, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return fmt.Errorf("own heartbeat: %w", err)
	}
	b := s.beats[number]
	if b == nil {
		return nil
	}
	if b.Snapshot, err = pg.ParseSnapshot(parts[2]); err != nil {
		return fmt.Errorf("own heartbeat: %w", err)
	}
	b.Xid, b.EndLSN = b.Snapshot.Full(done.Xid), done.EndLSN
	b.heard = true
	if b.acknowledged {
		s.back(number)
	}
	return nil
}

// back concludes what a heartbeat proves.
func (s *session) back(number uint64) {
	b := s.beats[number]
	delete(s.beats, number)
	c, confirmed := s.confirm(b.catalog)
	if !s.live && (c == nil || b.Snapshot.Xmin < s.floor) {
		// A transaction whose commit comes before the stream can still be invisible to queries.
		s.feed.deliverState(Starting, "waiting for write transactions that began before the stream")
		return
	}
	if c != nil && (confirmed || s.reliable < len(c.tables)) {
		s.publish(c, b.Snapshot.Xmin, confirmed)
	}
	if !s.live {
		s.live = true
		s.becameLive()
		s.feed.options.Logger.Info("change feed live", "slot", s.name, "tables", s.reliable)
		s.feed.deliverState(Live, "")
	}
	s.feed.update(func(st *Status) { st.Sent = b.Sent })
	s.feed.handlers.Beat(b.Beat)
}

// confirm takes a catalog into use that was read before the heartbeat was sent. Had a change of the schema that it
// shows not been delivered by now, or one that it does not show been delivered, the generation would be another.
func (s *session) confirm(read *catalog) (c *catalog, confirmed bool) {
	c = s.decoder.catalog.Load()
	if read == nil || read == c || read.generation != s.generation {
		return c, false
	}
	s.unseen = nil
	s.decoder.catalog.Store(read)
	return read, true
}

// publish says which tables can be relied upon, if they are others than before.
func (s *session) publish(c *catalog, xmin uint64, always bool) {
	tables := c.reliable(xmin)
	if !always && len(tables) == s.reliable {
		return
	}
	s.reliable = len(tables)
	s.feed.update(func(st *Status) { st.Tables = len(tables) })
	s.feed.handlers.Published(tables)
}
