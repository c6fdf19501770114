package feed

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// DefaultPublication is the publication that Install makes.
const DefaultPublication = "slipstream"

// Options say what to follow. DSN and Clock are required; zero fields are the defaults.
type Options struct {
	// DSN leads to the database, past any pooler; for the mode WAL, as a role with the right REPLICATION. The feed has two
	// connections, one for the changes and one for all else.
	DSN string
	// Modes are those that may be, the best first. Each start takes the first that the database is prepared for. Default WAL.
	Modes []Mode
	// Publication names the tables. Default DefaultPublication.
	Publication string
	// Heartbeat is the time between heartbeats. Default 250 ms.
	Heartbeat time.Duration
	// Clock reads a clock that also runs while the machine sleeps, as CLOCK_BOOTTIME does.
	Clock func() time.Duration
	// Logger is told what happens to the stream; nobody when nil.
	Logger *slog.Logger
	// Active says whether somebody depends on heartbeats: none are sent otherwise. Default always.
	Active func() bool
	// Meet, if not nil, is told of each server before it is followed. An error is that this one must not be: others have gone
	// on without it.
	Meet func(system uint64, timeline uint32) error
	// Sharing is with other feeds of the database; nil: this one has a slot of its own.
	Sharing *Sharing
}

// Handlers are called one after the other, never concurrently, though by several goroutines. A slow one delays all
// events, and heartbeats with them. Nil ones are left out.
type Handlers struct {
	// Committed gets each transaction that changed rows of published tables, in the order of their commits. It is valid
	// until the handler returns. In the mode Notify, it comes in parts, one for each table that a statement named.
	Committed func(*Transaction)
	// SchemaChanged tells that a transaction changed definitions, rights or policies, before its Committed. Published
	// tables are unknown from then on, until Published says which they are.
	SchemaChanged func(xid uint32)
	// Published gets the tables, by OID, whose changes arrive from now on, without exception, until the next
	// SchemaChanged or Broken. It comes before the Beat that showed it.
	Published func(map[uint32]Table)
	// RolesChanged tells that attributes, memberships or settings of roles changed, or something else that answers depend
	// on and that the log does not tell: see watch. It is looked at before a heartbeat whenever the last look is two
	// seconds old.
	RolesChanged func()
	// Sending is called right before a heartbeat is sent; what it returns comes back as Beat.Ticket.
	Sending func() uint64
	// Beat tells that a heartbeat has come back through the log.
	Beat func(Beat)
	// Applied gets the position in the log (an LSN) up to which all transactions have been delivered. In the mode Notify, it
	// comes with heartbeats: see Feed.Prompt.
	Applied func(lsn uint64)
	// State gets each change of state, with the reason and what to do about it.
	State func(state State, reason string)
}

// Beat is a heartbeat that came back: every transaction that was acknowledged to its client before Sent has been
// delivered.
type Beat struct {
	// Sent is the reading of Options.Clock before it was sent.
	Sent time.Duration
	// Ticket is what Handlers.Sending returned then.
	Ticket uint64
	// Snapshot is the one with which it ran.
	Snapshot pg.Snapshot
	// Xid is the id of its own transaction, and EndLSN where that one's commit ends in the log; 0 in the mode Notify.
	Xid, EndLSN uint64
	// Source is a hash of which database it is, in which of its lives, and of what RolesChanged looks at, as it was when that
	// was looked at last before Sent. Feeds that agree on it follow the same. Zero in the mode Notify.
	Source [sha256.Size]byte
}

// State is what a Feed can be relied upon for.
type State int

const (
	// Stopped is a Feed that does not run.
	Stopped State = iota
	// Starting means that no changes can be relied upon yet: the slot waits for the write transactions that run.
	Starting
	// Live means that every change of published tables arrives.
	Live
	// Broken means that changes are lost from here to the next Live.
	Broken
)

func (s State) String() string {
	return [...]string{"stopped", "starting", "live", "broken"}[s]
}

// Status is how a Feed does.
type Status struct {
	State  State
	Reason string
	// Mode is that of the present start, or of the last one; empty before the first.
	Mode Mode
	// Slot is the name of the replication slot; empty while there is none.
	Slot string
	// Session is another one after each start; empty while nothing is followed. System identifies the cluster that is followed,
	// and Timeline its history.
	Session  string
	System   uint64
	Timeline uint32
	// Leader is the name of the slot that another feed relays the stream of; empty unless this one follows.
	Leader string
	// Followers is how many feeds this one leads.
	Followers int
	// Applied is the position in the log (an LSN) up to which transactions were delivered.
	Applied uint64
	// Sent is when the last heartbeat that came back was sent, by Options.Clock.
	Sent time.Duration
	// Tables is how many tables are published and can be relied upon.
	Tables int
}

// Feed follows one database. It may be used by many goroutines.
type Feed struct {
	options  Options
	handlers Handlers

	// deliver is held while a handler runs.
	deliver sync.Mutex

	mu     sync.Mutex
	status Status

	// prompts has a token while somebody waits for Applied.
	prompts chan struct{}

	// restarts has a token when the session is to end.
	restarts chan struct{}

	// origin is the server that the last session was with, which alone sets it.
	origin origin

	// name is this feed's among those that share slots.
	name string
	// follows is set when the last session had a leader, crowded when there was no slot for it: the next one looks for a
	// leader first.
	follows, crowded bool
}

// New connects to nothing and starts nothing.
func New(o Options, h Handlers) *Feed {
	if o.Publication == "" {
		o.Publication = DefaultPublication
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 250 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Active == nil {
		o.Active = func() bool { return true }
	}
	if len(o.Modes) == 0 {
		o.Modes = []Mode{WAL}
	}
	return &Feed{options: o, handlers: h.withDefaults(), prompts: make(chan struct{}, 1), restarts: make(chan struct{}, 1), name: random()}
}

func (h Handlers) withDefaults() Handlers {
	if h.Committed == nil {
		h.Committed = func(*Transaction) {}
	}
	if h.SchemaChanged == nil {
		h.SchemaChanged = func(uint32) {}
	}
	if h.Published == nil {
		h.Published = func(map[uint32]Table) {}
	}
	if h.RolesChanged == nil {
		h.RolesChanged = func() {}
	}
	if h.Sending == nil {
		h.Sending = func() uint64 { return 0 }
	}
	if h.Beat == nil {
		h.Beat = func(Beat) {}
	}
	if h.Applied == nil {
		h.Applied = func(uint64) {}
	}
	if h.State == nil {
		h.State = func(State, string) {}
	}
	return h
}

// The pauses between tries, which double. Up to half of one is left out at random, so that instances do not return all
// at once.
const (
	firstPause   = time.Second
	longestPause = 32 * time.Second
)

// Run follows the log until ctx ends, and then returns nil. It starts again by itself whenever the stream breaks.
func (f *Feed) Run(ctx context.Context) error {
	pause, live := firstPause, false
	for {
		err := f.session(ctx, func() { pause, live = firstPause, true })
		if ctx.Err() != nil {
			f.setState(Stopped, "")
			return nil
		}
		reason := explain(err)
		wait := pause - rand.N(pause/2)
		if live && errors.Is(err, errRelay) || errors.Is(err, errAnotherPrimary) {
			wait = rand.N(firstPause / 10)
		}
		live = false
		f.options.Logger.Warn("change feed broken", "reason", reason, "retry_in", wait)
		f.setState(Broken, reason)
		select {
		case <-ctx.Done():
		case <-f.restarts:
			pause = firstPause / 2
		case <-time.After(wait):
		}
		pause = min(2*pause, longestPause)
	}
}

// Prompt has Applied come soon for all that was committed by now: in the mode Notify, by a heartbeat that is sent as soon
// as the one before it is. In the mode WAL it comes by itself.
func (f *Feed) Prompt() {
	select {
	case f.prompts <- struct{}{}:
	default: // the heartbeat that somebody else asked for has not been sent
	}
}

// Restart has the feed begin anew soon, as the database has another primary. It does not wait for it.
func (f *Feed) Restart() {
	select {
	case f.restarts <- struct{}{}:
	default:
	}
}

// Status of the feed now.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *Feed) update(change func(*Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status)
}

// setState tells the handler, unless nothing has changed.
func (f *Feed) setState(state State, reason string) {
	f.deliver.Lock()
	defer f.deliver.Unlock()
	f.deliverState(state, reason)
}

// deliverState is setState for those who hold deliver.
func (f *Feed) deliverState(state State, reason string) {
	changed := false
	f.update(func(s *Status) {
		changed = s.State != state || s.Reason != reason
		s.State, s.Reason = state, reason
		if state == Broken || state == Stopped {
			s.Slot, s.Leader, s.Followers, s.Session, s.Tables = "", "", 0, "", 0
		}
	})
	if !changed {
		return
	}
	f.options.Logger.Debug("change feed", "state", state, "reason", reason)
	f.handlers.State(state, reason)
}
