package feed

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

const (
	// pollEvery is the age from which what is not in the log is looked at again, before the next heartbeat.
	pollEvery = 2 * time.Second
	// mostBeats is how many heartbeats may be under way. A stalled stream does not gain by more.
	mostBeats = 64
)

// flight is a heartbeat under way. It is back when it has been heard and its commit been acknowledged:
// on a primary without its synchronous standbys, the one comes without the other.
type flight struct {
	Beat
	heard, acknowledged bool
	own                 uint32 // the id of its transaction
	// position is what Applied is told when it is back.
	position uint64
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
	prompted := false
	for {
		if err := h.tick(ctx, prompted); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			prompted = false
		case <-s.source.prompts():
			prompted = true
		}
	}
}

// tick does what is due: the polls come before the heartbeat, so that a heartbeat that comes back also shows that what
// they look at is no older than pollEvery before it. Nothing is due while nobody depends on it or has asked for it.
func (h *heart) tick(ctx context.Context, prompted bool) error {
	stale := h.stale()
	if !stale && !prompted && !h.feed.options.Active() {
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
	return !h.live || h.session.catalog.Load() == nil
}

// readCatalog reads the catalog unless the last one still can be confirmed.
func (h *heart) readCatalog(ctx context.Context) error {
	h.feed.deliver.Lock()
	generation, unseen := h.generation, append([]uint32(nil), h.unseen...)
	h.feed.deliver.Unlock()
	if h.catalog != nil && h.catalog.generation == generation {
		return nil
	}
	c, err := h.source.readCatalog(ctx)
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

// send sends a heartbeat, unless too many are under way. Nobody else can know its nonce before it is sent, and what is sent
// by others after it does no harm: everybody may write into the log, and send notifications.
func (h *heart) send(ctx context.Context) error {
	nonce := random()
	if !h.depart(nonce) {
		return nil
	}
	h.warned = false
	text, position, err := h.source.send(ctx, nonce)
	if err != nil {
		return fmt.Errorf("send a heartbeat: %w", err)
	}
	snapshot, err := pg.ParseSnapshot(text)
	if err != nil {
		return fmt.Errorf("send a heartbeat: %w", err)
	}
	h.feed.deliver.Lock()
	defer h.feed.deliver.Unlock()
	b := h.beats[nonce]
	if h.warned {
		// A wait for synchronous standbys that somebody cancels ends in a warning.
		delete(h.beats, nonce)
		return nil
	}
	b.Snapshot, b.position, b.acknowledged = snapshot, position, true
	if b.heard {
		h.back(nonce)
	}
	return nil
}

func (h *heart) depart(nonce string) bool {
	h.feed.deliver.Lock()
	defer h.feed.deliver.Unlock()
	if len(h.beats) >= mostBeats {
		return false
	}
	b := &flight{catalog: h.catalog}
	if h.feed.Status().Mode == WAL {
		b.Source = sha256.Sum256(fmt.Appendf(nil, "%d %d %s", h.feed.origin.system, h.feed.origin.timeline, h.unlogged))
	}
	b.Ticket = h.feed.handlers.Sending()
	b.Sent = h.feed.options.Clock()
	h.beats[nonce] = b
	return true
}

// heard takes the nonce of a heartbeat that came, one of this session's or another's, with the heartbeat's transaction: its id
// and where its commit ends, where that is known.
func (s *session) heard(nonce string, xid uint32, end uint64) {
	b := s.beats[nonce]
	if b == nil || b.heard {
		return
	}
	b.heard, b.own, b.EndLSN = true, xid, end
	if b.acknowledged {
		s.back(nonce)
	}
}

// back concludes what a heartbeat proves.
func (s *session) back(nonce string) {
	b := s.beats[nonce]
	delete(s.beats, nonce)
	s.advance(b.position)
	if b.EndLSN != 0 {
		b.Xid = b.Snapshot.Full(b.own)
	}
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
		s.feed.options.Logger.Info("change feed live", "mode", s.feed.Status().Mode, "tables", s.reliable)
		s.feed.deliverState(Live, "")
	}
	s.feed.update(func(st *Status) { st.Sent = b.Sent })
	s.feed.handlers.Beat(b.Beat)
}

// confirm takes a catalog into use that was read before the heartbeat was sent. Had a change of the schema that it
// shows not been delivered by now, or one that it does not show been delivered, the generation would be another.
func (s *session) confirm(read *catalog) (c *catalog, confirmed bool) {
	c = s.catalog.Load()
	if read == nil || read == c || read.generation != s.generation {
		return c, false
	}
	s.unseen = nil
	s.catalog.Store(read)
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
