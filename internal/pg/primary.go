package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoPrimary is part of a *ConnectError while none of several hosts is the primary.
var ErrNoPrimary = errors.New("none of the hosts of db-uri is a primary")

// errOutdated refuses a server that others have gone on without.
var errOutdated = errors.New("the server has an older history of the database than its primary had: it was primary once, and must become a standby or stay down")

// Primary is the server that writes go to.
type Primary struct {
	// Host is the name or directory and the port that it was reached by; empty while none of several hosts is known as the
	// primary.
	Host string
	// System and Timeline are those of Position; 0 where they are not known.
	System   uint64
	Timeline uint32
}

const (
	// watchEvery is the time between two looks at all hosts, seekEvery that while there is no primary.
	watchEvery = time.Second
	seekEvery  = 100 * time.Millisecond
)

// lookout knows which server is the primary. Of several hosts it finds it; of a single one it only notices when another
// server, or another history, is behind it.
//
// A server can be primary by its own account and yet be one that others have gone on without: of two that are not in
// recovery, the later timeline is the primary's, and once a timeline was seen, no earlier one of the same cluster is
// taken any more.
type lookout struct {
	log     *slog.Logger
	config  *pgx.ConnConfig
	timeout time.Duration
	// hosts are several, or none where there is no choice.
	hosts []*host
	// switched is called when the primary has another history than the one before, before anybody uses it.
	switched func(Primary)

	suspicion chan struct{} // has a token while somebody suspects that the primary is another one now
	looks     sync.Mutex    // held while hosts are looked at

	aside struct { // what a new connection to a single host has shown, at most once every watchEvery
		sync.Mutex
		at      time.Time
		primary bool
	}

	mu      sync.Mutex
	primary *host // nil while there is none
	// suspicions are how often there was one, and settled how many of them there were when the last look began.
	suspicions, settled uint64

	err      error         // why there is none
	looked   time.Time     // when the last look ended
	changed  chan struct{} // closed when there is a primary again
	current  Primary
	switches uint64
}

func newLookout(o *Options, config *pgx.ConnConfig, switched func(Primary)) *lookout {
	l := &lookout{
		log: o.Logger, config: config, timeout: o.ConnectTimeout, switched: switched,
		suspicion: make(chan struct{}, 1), changed: make(chan struct{}), suspicions: 1,
	}
	if !o.Standby && wantsPrimary(o.DSN, config) {
		l.hosts = hostsOf(config)
	}
	return l
}

// chooses reports whether there are several hosts.
func (l *lookout) chooses() bool { return len(l.hosts) > 0 }

// run looks at the hosts until ctx ends.
func (l *lookout) run(ctx context.Context) {
	if !l.chooses() {
		return
	}
	defer func() {
		l.looks.Lock()
		defer l.looks.Unlock()
		for _, h := range l.hosts {
			h.close()
		}
	}()
	for {
		pause := watchEvery
		if l.look(ctx) != nil {
			pause = seekEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-l.suspicion:
		case <-time.After(pause):
		}
	}
}

// suspects has all hosts be looked at before anybody connects again.
func (l *lookout) suspects() {
	l.mu.Lock()
	l.suspicions++
	l.mu.Unlock()
	select {
	case l.suspicion <- struct{}{}:
	default:
	}
}

// steer leads a connection that is about to be made to the primary.
func (l *lookout) steer(ctx context.Context, c *pgx.ConnConfig) error {
	if !l.chooses() {
		return nil
	}
	h, fresh, err := l.known()
	if !fresh {
		_ = l.look(ctx)
		h, _, err = l.known()
	}
	if err != nil {
		return err
	}
	h.only(&c.Config)
	return nil
}

// known is the primary, and whether that still can be relied upon.
func (l *lookout) known() (h *host, fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh = l.settled == l.suspicions || l.primary == nil && time.Since(l.looked) < seekEvery
	if l.primary == nil {
		return nil, fresh, fmt.Errorf("%w: %w", ErrNoPrimary, l.err)
	}
	return l.primary, fresh, nil
}

// look looks at all hosts, unless somebody else has done so since it was called.
func (l *lookout) look(ctx context.Context) error {
	asked := time.Now()
	l.looks.Lock()
	defer l.looks.Unlock()
	l.mu.Lock()
	done := l.looked.After(asked) && l.settled == l.suspicions
	err, suspicions := l.err, l.suspicions
	l.mu.Unlock()
	if done {
		return err
	}
	// Who waits for it may leave: that says nothing about the hosts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	seen := lookAt(ctx, l.hosts, l.config)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked, l.settled = time.Now(), suspicions
	return l.conclude(seen)
}

// conclude takes the best of what was seen for the primary. It is for those who hold mu.
func (l *lookout) conclude(seen []sighting) error {
	var best *sighting
	var problems []error
	for i := range seen {
		s := &seen[i]
		switch {
		case s.err != nil:
			problems = append(problems, fmt.Errorf("%s: %w", s.host, s.err))
		case s.recovering:
			problems = append(problems, fmt.Errorf("%s: it is a standby", s.host))
		case l.outdated(s.identity):
			problems = append(problems, fmt.Errorf("%s: %w", s.host, errOutdated))
		case best == nil || l.better(s.identity, best.identity):
			best = s
		}
	}
	switch {
	case best == nil && l.busy(seen):
		return nil
	case best == nil:
		if l.err = errors.Join(problems...); l.primary != nil {
			l.log.Warn("there is no primary; db-uri should name all servers that can become one", "error", l.err)
		}
		l.primary, l.current.Host = nil, ""
		return l.err
	}
	l.meet(best.identity)
	if l.primary != best.host {
		l.log.Info("the primary is "+best.host.String(), "timeline", best.timeline)
	}
	l.primary, l.current.Host, l.err = best.host, best.host.String(), nil
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// busy reports whether the primary is there, but has not answered in time, or has no connection to spare: it stays the
// primary as long as no other host says that it is. It is for those who hold mu.
func (l *lookout) busy(seen []sighting) bool {
	for i := range seen {
		if s := &seen[i]; s.host == l.primary && s.err != nil {
			return Overloaded(s.err) || pgconn.Timeout(s.err) || errors.Is(s.err, context.DeadlineExceeded)
		}
	}
	return false
}

// better compares two that are not in recovery. It is for those who hold mu.
func (l *lookout) better(a, b identity) bool {
	if a.system != b.system {
		return a.system == l.current.System
	}
	return a.timeline > b.timeline
}

// outdated is for those who hold mu.
func (l *lookout) outdated(id identity) bool {
	return id.timeline != 0 && id.system == l.current.System && id.timeline < l.current.Timeline
}

// meet notes which history a primary has. It is for those who hold mu: nobody uses the server before it has returned.
func (l *lookout) meet(id identity) {
	if id.timeline == 0 || id.system == l.current.System && id.timeline == l.current.Timeline {
		return
	}
	first := l.current.Timeline == 0
	was := l.current
	l.current.System, l.current.Timeline = id.system, id.timeline
	if first {
		return
	}
	l.switches++
	l.log.Warn("the database has another primary", "timeline", id.timeline, "before", was.Timeline)
	l.switched(l.current)
}

// admit looks at the server of a new connection, and refuses it if it is not the primary of several hosts.
func (l *lookout) admit(ctx context.Context, conn *pgconn.PgConn) (identity, error) {
	id, err := identify(ctx, conn)
	if err != nil {
		return id, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.chooses() && id.recovering:
		return id, fmt.Errorf("%w: it has become a standby", ErrNoPrimary)
	case l.chooses() && l.outdated(id):
		return id, errOutdated
	}
	if !id.recovering {
		l.meet(id)
	}
	return id, nil
}

// leadsElsewhere reports whether a new connection to the only host, which the name service or a proxy may lead elsewhere by
// now, is to a primary; now is true for who has found that out.
func (l *lookout) leadsElsewhere(ctx context.Context) (primary, now bool) {
	l.aside.Lock()
	defer l.aside.Unlock()
	if time.Since(l.aside.at) < watchEvery {
		return l.aside.primary, false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	h := hostsOf(l.config)[0]
	defer h.close()
	id, err := h.look(ctx, l.config)
	l.aside.at, l.aside.primary = time.Now(), err == nil && !id.recovering
	return l.aside.primary, l.aside.primary
}

// still reports, as an error, that the primary has become another one since a server was admitted.
func (l *lookout) still(id identity) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id.timeline != 0 && (id.system != l.current.System || id.timeline != l.current.Timeline) {
		return errOutdated
	}
	return nil
}

// next is closed when a primary was found after the call.
func (l *lookout) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Meet tells of a primary that somebody else has met, such as one who follows its log, and is an error if it is one that
// others have gone on without. Before it returns, connections to a server with an earlier history are gone.
func (db *DB) Meet(system uint64, timeline uint32) error {
	l := db.lookout
	l.mu.Lock()
	defer l.mu.Unlock()
	id := identity{system: system, timeline: timeline}
	if l.outdated(id) {
		return errOutdated
	}
	l.meet(id)
	return nil
}

// Primary is the server that writes go to, as far as it is known, and how often it has become another one.
func (db *DB) Primary() (p Primary, switches uint64) {
	l := db.lookout
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current, l.switches
}
