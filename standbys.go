package slipstream

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/replicas"
	"github.com/slipstream-go/slipstream/internal/rest"
)

// standbys are the streaming standbys that answers to be kept may be read from. Package cache tells why that is sound; what
// must be done for it, and in which order, is done here.
type standbys struct {
	cache     *cache.Cache
	feed      *feed.Feed
	primary   *pg.DB
	clock     func() time.Duration
	staleness time.Duration
	log       *slog.Logger
	used      func() bool // nil while there are no standbys

	mu   sync.Mutex
	all  []*standby
	turn int
	// While held, none may fill, until a heartbeat that was sent after number barrier has come back. That makes the floor,
	// the position that all of them must have replayed.
	held    bool
	barrier uint64
	holds   uint64
	floor   uint64
}

// standby is one of them. What follows db is guarded by standbys.mu, but for what is the watcher's own.
type standby struct {
	name string
	db   *pg.DB

	fills  bool
	reason string             // why it does not
	term   context.Context    // ends when it does not any more
	end    context.CancelFunc // of term
	looked time.Duration      // the clock's reading before the last good look
	told   uint64             // the position that the cache knows; 0 while it is not counted
	floor  uint64             // the position that its answers must have seen
	behind backlog
	lag    time.Duration

	lends, closed uint64 // turns that were given, and those that have ended
	confirmed     uint64 // of the closed ones, those that ended before the last good look began
	used          uint64 // turns whose answer was used

	imitated uint64 // the watcher's: holds when the settings of the primary were read last
	logged   string // the watcher's: the last reason in the log
}

// The reasons why a standby does not fill that are no news.
const (
	waitsForLook   = "it was not looked at yet"
	waitsForChange = "it is to replay what is committed now"
)

// add makes the replicas standbys that may fill, as long as used says that somebody cares.
func (s *standbys) add(set *replicas.Set, primary *pg.DB, used func() bool) {
	s.primary, s.used, s.held, s.holds = primary, used, true, 1
	for i := range set.Len() {
		s.all = append(s.all, &standby{name: set.Name(i), db: set.DB(i), reason: waitsForLook, logged: waitsForLook})
	}
}

// next gives the turn to a standby that may fill, or returns nil.
func (s *standbys) next() rest.Standby {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.all {
		b := s.all[s.turn%len(s.all)]
		s.turn++
		if s.mayFill(b) {
			b.lends++
			return &standbyTurn{all: s, standby: b, term: b.term, least: max(b.floor, s.floor)}
		}
	}
	return nil
}

// mayFill is for those who hold mu.
func (s *standbys) mayFill(b *standby) bool { return b.fills && s.clock()-b.looked <= s.staleness }

// standbyTurn is a rest.Standby.
type standbyTurn struct {
	all     *standbys
	standby *standby
	term    context.Context
	least   uint64
}

var errFellBack = errors.New("the standby has fallen back")

// Read gives up when the standby must not fill any more.
func (t *standbyTurn) Read(ctx context.Context, tx *pg.Tx, statements []pg.Statement, sink pg.Sink) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.term, cancel)()
	if err := t.standby.db.Read(ctx, tx, statements, sink); err != nil {
		return err
	}
	if tx.Replayed() < t.least {
		return errFellBack
	}
	return nil
}

func (t *standbyTurn) Done(used bool) {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.standby.closed++
	if used {
		t.standby.used++
	}
}

// hold has no standby fill before it has replayed what is committed now. It comes before whatever the cache is told of it:
// fills that were given a standby before are then of an epoch that is over. No heartbeat after number barrier was sent yet.
func (s *standbys) hold(barrier uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.barrier = true, max(s.barrier, barrier)
	s.holds++
	for _, b := range s.all {
		if b.fills {
			b.stop(waitsForChange)
		}
	}
}

// forever is a barrier that no heartbeat passes, until passable gives another one.
const forever = math.MaxUint64

func (s *standbys) passable(barrier uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.barrier = barrier
}

// beat takes note of a heartbeat that has come back.
func (s *standbys) beat(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held && number > s.barrier {
		s.held, s.floor = false, s.feed.Status().Applied
	}
}

// stop is for those who hold standbys.mu.
func (b *standby) stop(reason string) {
	if b.fills {
		b.fills = false
		b.end()
	}
	b.reason = reason
}

// start is for those who hold standbys.mu.
func (b *standby) start() {
	if !b.fills {
		b.fills, b.reason = true, ""
		b.term, b.end = context.WithCancel(context.Background())
	}
}

// tell tells the cache how far those that are counted have replayed. It is for those who hold mu.
func (s *standbys) tell() {
	least := uint64(math.MaxUint64)
	for _, b := range s.all {
		if b.told != 0 {
			least = min(least, b.told)
		}
	}
	s.cache.Standbys(least)
}
