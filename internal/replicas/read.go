package replicas

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/limit"
)

// tries is on how many replicas a read is tried, before it is the primary's turn.
const tries = 2

// Read is that of a pg.DB, on a replica that has what the reader needs, or in the end on the primary. Besides the errors
// there, it returns ErrFull.
func (s *Set) Read(ctx context.Context, need Need, tx *pg.Tx, statements []pg.Statement, sink pg.Sink) error {
	reason := noneReadable
	var shed error
	if s.await(ctx, &need) {
		tried := [tries]int{-1, -1}
		for n := range tried {
			i := s.balancer.Pick(func(i int) bool { return i != tried[0] && s.meets(i, &need) })
			if i < 0 {
				break
			}
			tried[n], reason = i, allFailed
			a := attempt{Sink: sink, replica: i, need: &need}
			if n == 0 {
				a.limit = limitOf(statements)
			}
			err := s.try(ctx, &a, tx, statements)
			if err == nil || ctx.Err() != nil || !elsewhere(err) || !sink.Restart() {
				return err
			}
			shed = refused(err)
		}
		if shed != nil { // they have enough to do, which is no reason for the primary to have too much
			return shed
		}
	} else if ctx.Err() == nil && s.anyMeets(&Need{MaxLag: need.MaxLag}) {
		reason = noneCaughtUp
	}
	return s.onPrimary(ctx, reason, tx, statements, sink)
}

// Again does a Read on the primary whose error that one may not give, such as for what a replica does not have yet. It is
// bounded as all reads are that replicas cannot answer; errors are those of Read.
func (s *Set) Again(ctx context.Context, tx *pg.Tx, statements []pg.Statement, sink pg.Sink) error {
	return s.onPrimary(ctx, doubted, tx, statements, sink)
}

func (s *Set) onPrimary(ctx context.Context, reason int, tx *pg.Tx, statements []pg.Statement, sink pg.Sink) error {
	return s.fallbacks.do(ctx, reason, tx.Ask, s.options.Clock, func() error {
		tx.Least = 0
		return s.options.Primary.Read(ctx, tx, statements, sink)
	})
}

// attempt is a read on one replica. It is the sink, to know what has come.
type attempt struct {
	pg.Sink
	replica int
	need    *Need
	limit   time.Duration // until something has to come; 0 is none

	cancel context.CancelCauseFunc
	timer  *time.Timer
	begun  atomic.Bool // rows were passed on: nobody else can answer any more
}

// The reasons why an attempt is given up.
var (
	errGone = errors.New("the replica does not answer any more")
	errSlow = errors.New("the replica takes much longer than usual")
)

const (
	// leastLimit is the time in which any read that is usually quick must have begun to be answered, and usualTimes how often
	// what is usual of others.
	leastLimit = time.Second
	usualTimes = 10
)

// limitOf is how long a read may take to be answered before another replica is asked, as its connection may be dead. What
// has never been run may take as long as it likes: it could be slow everywhere. Whether the server is there, looks at it tell.
func limitOf(statements []pg.Statement) time.Duration {
	if len(statements) == 0 || statements[0].Pace == nil {
		return 0
	}
	usual := statements[0].Pace.Usual()
	if usual == 0 {
		return 0
	}
	return max(leastLimit, usualTimes*usual)
}

// try runs a read on one replica, and has the balancer learn from it.
func (s *Set) try(ctx context.Context, a *attempt, tx *pg.Tx, statements []pg.Statement) error {
	r := s.all[a.replica]
	ctx, a.cancel = context.WithCancelCause(ctx)
	defer a.cancel(nil)
	defer context.AfterFunc(r.view.Load().term, a.gone)()
	if a.limit > 0 {
		a.timer = time.AfterFunc(a.limit, func() { a.cancel(errSlow) })
		defer a.timer.Stop()
	}
	tx.Least = max(a.need.LSN, 1) // of a server that was promoted, nothing
	began := s.options.Clock()
	err := r.db.Read(ctx, tx, statements, a)
	took := s.options.Clock() - began
	r.reads.Add(1)
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		s.balancer.Succeeded(a.replica, relative(took, statements))
		return nil
	case errors.Is(cause, errSlow):
		s.balancer.Slow(a.replica, relative(took, statements))
		err = errSlow
	case errors.Is(cause, errGone):
		s.balancer.Left(a.replica) // which its state tells, too
		err = errGone
	case broken(err):
		if s.balancer.Failed(a.replica) {
			s.options.Logger.Warn("no reads go to the replica for a while", "replica", r.name, "reason", err)
		}
	default:
		s.balancer.Left(a.replica)
		if !elsewhere(err) {
			return err
		}
	}
	r.failures.Add(1)
	return err
}

// relative is how long the read would have taken if it were one of a millisecond. The shapes of reads that hosts happen to get
// must not decide which of them is taken for the quicker one. 0 where it is not known what is usual.
func relative(took time.Duration, statements []pg.Statement) time.Duration {
	if len(statements) == 0 || statements[0].Pace == nil {
		return 0
	}
	usual := statements[0].Pace.Usual()
	if usual == 0 {
		return 0
	}
	return max(1, time.Duration(float64(took)/float64(usual)*float64(time.Millisecond)))
}

// gone gives the attempt up, unless its answer has begun: that is let go on.
func (a *attempt) gone() {
	if !a.begun.Load() {
		a.cancel(errGone)
	}
}

// Columns implements pg.Sink.
func (a *attempt) Columns(statement int, names []string) error {
	if a.timer != nil {
		a.timer.Stop()
	}
	return a.Sink.Columns(statement, names)
}

// Row implements pg.Sink.
func (a *attempt) Row(statement int, values [][]byte) error {
	a.begun.Store(true)
	return a.Sink.Row(statement, values)
}

// Restart implements pg.Sink.
func (a *attempt) Restart() bool {
	a.begun.Store(false)
	return a.Sink.Restart()
}

// broken tells errors of the connection.
func broken(err error) bool {
	var refused *pg.ConnectError
	var lost *pg.LostError
	return errors.As(err, &refused) || errors.As(err, &lost)
}

// refused is err where a limiter has refused the read.
func refused(err error) error {
	var shed *limit.ShedError
	if errors.As(err, &shed) {
		return err
	}
	return nil
}

// outcome is what the limiter of fallbacks learns from one.
func outcome(err error) limit.Failure {
	if err != nil {
		return limit.Ignore
	}
	return limit.None
}

// elsewhere tells errors that another server may not give. What functions raise themselves can look like them: then it is
// raised once or twice more.
func elsewhere(err error) bool {
	var answered *pg.Error
	switch {
	case broken(err), refused(err) != nil, errors.Is(err, errGone), errors.Is(err, errSlow), errors.Is(err, pg.ErrBehind), errors.Is(err, pg.ErrClosed):
		return true
	case !errors.As(err, &answered):
		return false
	}
	switch answered.Code {
	case "40001", "40P01": // a conflict with what is being replayed
		return true
	}
	for _, class := range []string{"53", "57P", "58", "XX"} { // no memory, no disk; it goes down; I/O errors; broken files
		if strings.HasPrefix(answered.Code, class) {
			return true
		}
	}
	return false
}
