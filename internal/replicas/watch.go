package replicas

import (
	"context"
	"fmt"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
)

const (
	// lookEvery is the time between two looks, and lookSoon that while somebody waits for what is to be seen.
	lookEvery = 250 * time.Millisecond
	lookSoon  = 2 * time.Millisecond
	// lookTime is how long a look may take. A server that does not answer in that time is gone.
	lookTime = time.Second
)

// State is whether a replica is read from, and if not, what kind of reason there is.
type State string

// The states.
const (
	Readable    State = "readable"
	Starting    State = "starting"    // it, or the primary, was not looked at yet
	Unreachable State = "unreachable" // it cannot be looked at
	Foreign     State = "foreign"     // it is no standby of the primary's history
	Behind      State = "behind"      // by more than Options.MaxLag
	Ejected     State = "ejected"     // reads there have failed one after the other
)

// view is what a look has shown. It does not change.
type view struct {
	state    State
	reason   string // why it is not readable
	replayed uint64
	of       history         // the primary's at the time of the look, which replayed is a position of
	asOf     time.Duration   // all that the primary had on its disk then has been replayed
	term     context.Context // ends when the server turns out to be gone
	end      context.CancelFunc
}

// watch looks at a replica until ctx ends.
func (s *Set) watch(ctx context.Context, i int) {
	r := s.all[i]
	defer r.eye.Close()
	defer func() { s.show(r, &view{state: Starting, reason: "the server has ended"}) }()
	for {
		var told func(context.Context, feed.Sight, error)
		if s.options.Looking != nil {
			told = s.options.Looking(i)
		}
		sight, err := r.look(ctx)
		if ctx.Err() != nil {
			return
		}
		s.conclude(ctx, r, sight, err)
		if told != nil {
			told(ctx, sight, err)
		}
		pause := lookEvery
		if s.waiting.Load() > 0 {
			pause = lookSoon
		}
		next := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			next.Stop()
			return
		case <-r.hurry:
			next.Stop()
		case <-next.C:
		}
	}
}

// look looks once more where a look has failed at once: it may have been its connection only.
func (r *replica) look(ctx context.Context) (sight feed.Sight, err error) {
	for range 2 {
		looking, cancel := context.WithTimeout(ctx, lookTime)
		sight, err = r.eye.Look(looking)
		late := looking.Err() != nil
		cancel()
		if err == nil || late {
			break
		}
	}
	return sight, err
}

// conclude shows what a look means.
func (s *Set) conclude(ctx context.Context, r *replica, sight feed.Sight, err error) {
	primary, database := s.primary.present()
	v := &view{replayed: sight.Replayed, of: historyOf(primary)}
	v.state, v.reason = judge(sight, err, primary, database)
	if v.state == Readable {
		known := false
		if v.asOf, known = s.primary.asOf(v.of, v.replayed); !known || s.lag(v) > s.options.MaxLag {
			v.state, v.reason = Behind, "it is more than "+s.options.MaxLag.String()+" behind"
		}
	}
	if settings := s.settings.Load(); v.state == Readable && r.imitated != settings {
		imitating, cancel := context.WithTimeout(ctx, lookTime)
		if err := r.db.Imitate(imitating, s.options.Primary); err == nil {
			r.imitated = settings
		} else if r.imitated == 0 {
			v.state, v.reason = Starting, err.Error()
		}
		cancel()
	}
	s.show(r, v)
}

// judge says whether a server can be read from, as far as it does not depend on the time.
func judge(sight feed.Sight, err error, primary pg.Position, database string) (State, string) {
	switch {
	case err != nil:
		return Unreachable, "it cannot be looked at: " + err.Error()
	case !sight.Recovering:
		return Foreign, "it is no standby"
	case primary == pg.Position{}:
		return Starting, "the primary was not looked at yet"
	case sight.System != primary.System:
		return Foreign, "it is not of the primary's cluster"
	case sight.Database != database:
		return Foreign, "it is asked for another database"
	case sight.Timeline != primary.Timeline && sight.Vague:
		return Foreign, fmt.Sprintf("its control file is of timeline %d, and the primary on %d; "+
			"with ALTER ROLE ... REPLICATION for the role of the connection, a change is seen at once", sight.Timeline, primary.Timeline)
	case sight.Timeline != primary.Timeline:
		return Foreign, fmt.Sprintf("it is on timeline %d, and the primary on %d", sight.Timeline, primary.Timeline)
	}
	return Readable, ""
}

// show makes v the view of a replica. Reads under way there end if the server is gone; one that is merely behind by now was not
// when they began.
func (s *Set) show(r *replica, v *view) {
	before := r.view.Load()
	switch {
	case v.state != Readable && v.state != Behind:
		v.term, v.end = over(), func() {}
		if before.end != nil {
			before.end()
		}
	case before.term.Err() == nil:
		v.term, v.end = before.term, before.end
	default:
		v.term, v.end = context.WithCancel(context.Background())
	}
	r.view.Store(v)
	s.news.tell()
	if now := string(v.state) + v.reason; now != r.logged && v.state != Starting {
		r.logged = now
		if v.state == Readable {
			s.options.Logger.Info("reads go to the replica", "replica", r.name)
		} else {
			s.options.Logger.Warn("no reads go to the replica", "replica", r.name, "reason", v.reason)
		}
	}
}

// lag is how far a replica is behind.
func (s *Set) lag(v *view) time.Duration {
	return max(0, s.primary.reference(s.options.Clock())-v.asOf)
}
