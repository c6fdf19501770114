package pg

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// When more requests are under way than the pool has connections, a read need not wait until one is idle: its messages
// can travel with those of another one, in one write and behind its Sync, so that each is still a transaction of its
// own. The server then gets more done each time that it wakes up. What is behind another read waits for it: therefore
// both have to be known as quick.
//
// The trip that sends the messages takes the others along; each gets the connection when the one before it has its
// answer, and receives its own.

const (
	// mostAlong is how many reads one takes along.
	mostAlong = 7
	// mostShared is the size of the values, in bytes, up to which a read is taken along: all of a pipeline are to stay
	// below inlineWrite.
	mostShared = 2 << 10
	// patience is how long a read that nobody waits for any more may run before it is cancelled.
	patience = 10 * time.Millisecond
)

// mayShare tells whether a read may be one of several.
func (db *DB) mayShare(tx *Tx, statements []Statement) bool {
	if len(statements) != 1 || statements[0].Pace == nil {
		return false
	}
	if !statements[0].Pace.below(db.quick, db.quick/20) {
		return false
	}
	if tx.ReadWrite || tx.PreRequest != "" || tx.begin() != "" {
		return false
	}
	return small(tx, &statements[0])
}

// small tells whether the values are within mostShared.
func small(tx *Tx, s *Statement) bool {
	size := 0
	for _, setting := range tx.Settings {
		size += len(setting.Value)
	}
	for _, arg := range s.Args {
		size += len(arg)
	}
	return size <= mostShared
}

// trip waits for a trip whose turn it is: a new one, or where f may share, one whose messages are sent, or served.
func (db *DB) trip(ctx context.Context, f fellow, share bool) (*trip, error) {
	if db.pool.Load() == nil {
		return nil, ErrClosed
	}
	ask := f.tx.Ask
	if len(f.statements) > 0 && f.statements[0].Pace != nil {
		ask.Shape = &f.statements[0].Pace.usual
	}
	if !share {
		conn, err := db.acquire(ctx, ask)
		if err != nil {
			return nil, err
		}
		return db.newTrip(conn), nil
	}
	rider := fellowPool.Get().(*fellow)
	*rider = f
	ask.Rider, ask.Stays = rider, f.write != nil
	permit, passed, err := db.turn(ctx, ask)
	if err == nil { // else somebody who has taken it along may still look at it
		*rider = fellow{}
		fellowPool.Put(rider)
	}
	if passed != nil || err != nil {
		t, _ := passed.(*trip)
		return t, err
	}
	conn, err := db.connection(ctx, permit)
	if err != nil {
		return nil, err
	}
	t := db.newTrip(conn)
	t.along = db.limiter
	return t, nil
}

// fellow is a read or a write that another one may take along.
type fellow struct {
	tx         *Tx
	statements []Statement
	write      *member // nil for a read
}

var fellowPool = sync.Pool{New: func() any { return new(fellow) }}

// served is given to a write that another one has done, in place of a trip.
var served = new(trip)

// takeAlong adds the messages of reads that wait for a connection.
func (t *trip) takeAlong() {
	if t.along == nil || t.hold || len(t.out) > inlineWrite/2 {
		return
	}
	var room [mostAlong]*limit.Waiter
	taken := t.along.Board(room[:0], true, func(rider any) bool { return rider.(*fellow).write == nil })
	last := t
	for _, w := range taken {
		f := w.Rider().(*fellow)
		other := tripPool.Get().(*trip)
		other.wire, other.grace = t.wire, t.grace
		other.conn, other.session, other.options, other.waiter = t.conn, t.session, t.options, w
		other.queue(f.tx, f.statements)
		if other.tooLarge == nil {
			t.out = append(t.out, other.out...)
		}
		last.next, last = other, other
	}
	t.along.Depart(taken)
}

// answer receives what the server says to messages that another trip has sent.
func (t *trip) answer() error {
	switch {
	case t.loss != nil:
		return t.loss
	case t.tooLarge != nil:
		t.status = 'I' // nothing was sent
		return t.tooLarge
	}
	err := t.receive(nil)
	t.dropRefused()
	return err
}

// hitInstead tells whether err is that of a cancellation which was meant for another trip of the pipeline, or may be.
func (t *trip) hitInstead(err error) bool {
	var answered *Error
	return t.waiter != nil && errors.As(err, &answered) && answered.Code == "57014" // query_canceled
}

var errNeighbour = &LostError{Err: errors.New("another request has made the connection unusable")}

// passOn gives the connection to the next trip of the pipeline, and reports whether there is one.
func (t *trip) passOn(db *DB, usable bool) bool {
	for next := t.next; next != nil; {
		if !usable {
			next.loss, next.orphan = errNeighbour, true
		}
		after := next.next
		if next.waiter.Pass(next) {
			return true
		}
		usable = next.discard(db)
		next.recycle()
		next = after
	}
	return false
}

// discard receives an answer that nobody waits for any more.
func (t *trip) discard(db *DB) (usable bool) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	if t.loss == nil && t.tooLarge == nil {
		t.watch(ctx)
		_ = t.receive(errUnwanted)
		t.dropRefused()
	} else {
		t.status = 'I'
	}
	return t.settle(db) && t.loss == nil
}
