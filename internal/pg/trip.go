package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// trip is what one Read does on one connection: usually one pipeline, which is one write, one Sync and one answer.
// It speaks the protocol itself (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING)
// with pgproto3's messages: pgconn's Pipeline needs more than twenty allocations where this needs none. It is pooled
// for its buffers.
type trip struct {
	canceller
	conn    *pgxpool.Conn
	session *session
	sink    Sink
	members []fellow // of a group of writes; sink is then nobody's
	options *Options
	hold    bool // leave the transaction open for conclude
	guard   int  // the step of a Guard's statement, 0 without: the first step is begin

	// Of a Batch.
	inside    bool     // the transaction is open already
	savepoint bool     // nothing of this may stay
	unset     []string // parameters that an operation before has set

	// Of a pipeline that several trips share.
	along  *limit.Limiter // who waits there may be taken along; nil for those who share with nobody
	waiter *limit.Waiter  // who waits for the answer, if another trip sends this one's messages
	next   *trip          // has its answer after this one's
	orphan bool           // the one before it has made the connection unusable

	settings settings
	out      []byte // the messages to send
	outside  []outside
	steps    []step
	tooLarge error // what cannot be encoded

	// Of the answer.
	outcome  outcome
	replayed uint64    // by a standby, before the statements
	least    uint64    // Tx.Least
	member   int       // whose messages are being made, in a group of writes
	at       int       // the step that is being answered
	bound    int       // how many steps the server has begun to execute
	status   byte      // of the transaction as the last ReadyForQuery has it, 0 while there is more to come
	loss     error     // why the connection is of no use any more
	commit   int       // the step of COMMIT
	saw      *Snapshot // Tx.PreRequestSaw
	sunk     bool      // the sink has got something

	// Messages to encode; as locals they would be allocated.
	parse  pgproto3.Parse
	bind   pgproto3.Bind
	runAll pgproto3.Execute
}

// step is the execution of one statement.
type step struct {
	statement int // index of the caller's statement, or internal
	member    int // whose statement it is, in a group of writes
	prepared  *prepared
	parsed    bool // in this pipeline
}

const (
	internal = -1
	position = -2 // its one row is a position in the WAL
	called   = -4 // the pre-request function; its row ends in a snapshot
	replayed = -3 // the last column of its one row is replayedColumn
	assigned = -5 // its one row is the transaction's id, if it has one
)

var tripPool = sync.Pool{New: func() any { return &trip{canceller: canceller{over: make(chan struct{}, 1)}} }}

func (db *DB) newTrip(conn *pgxpool.Conn) *trip {
	t := tripPool.Get().(*trip)
	t.wire, t.grace = conn.Conn().PgConn(), db.cancelGrace
	t.conn, t.session, t.options = conn, sessionOf(t.wire), &db.options
	return t
}

// largestPooled is the size, in bytes, up to which a trip's buffer is kept for the next.
const largestPooled = 64 << 10

// recycle keeps the buffers and no reference to anything else.
func (t *trip) recycle() {
	t.settings.reset()
	clear(t.steps[:cap(t.steps)])
	t.clearOut()
	s, out := t.settings, t.out
	if cap(s.values) > largestPooled {
		s = settings{}
	}
	if cap(out) > largestPooled {
		out = nil
	}
	*t = trip{canceller: canceller{over: t.over}, settings: s, out: out, outside: t.outside, steps: t.steps[:0]}
	tripPool.Put(t)
}

// run sends the pipeline and passes its answer on.
func (t *trip) run(tx *Tx, statements []Statement) error {
	return t.pipeline(func() {
		t.queue(tx, statements)
		t.takeAlong()
	})
}

// pipeline sends the messages that queue makes, and passes the answer on.
func (t *trip) pipeline(queue func()) error {
	t.clearOut()
	closing := t.closeDead()
	queue()
	err := t.exchange()
	if t.status != 0 && t.tooLarge == nil { // the server has seen all of it
		t.session.dead = slices.Delete(t.session.dead, 0, closing)
	}
	t.dropRefused()
	return err
}

// queue makes the messages of the transaction.
func (t *trip) queue(tx *Tx, statements []Statement) {
	t.steps, t.at, t.bound, t.status, t.tooLarge, t.least = t.steps[:0], 0, 0, 0, nil, tx.Least
	begin := tx.begin()
	if begin == "" && t.hold {
		begin = "begin"
	}
	if t.inside {
		begin = ""
	}
	if begin != "" {
		t.send(internal, statementKey{sql: begin}, nil, nil)
	}
	t.queueGuard(tx.Guard)
	if t.savepoint {
		t.send(internal, statementKey{sql: "savepoint slip_read"}, nil, nil)
	}
	t.settings.of(tx)
	for _, name := range t.unset {
		t.settings.unset(name)
	}
	t.queueSettings()
	t.queuePreRequest(tx)
	for i := range statements {
		t.send(i, statementKey{statements[i].SQL, tx.Role, tx.SearchPath}, statements[i].Args, statements[i].Formats)
	}
	if t.savepoint {
		t.send(internal, statementKey{sql: "rollback to savepoint slip_read"}, nil, nil)
		t.send(internal, statementKey{sql: "release savepoint slip_read"}, nil, nil)
	}
	switch {
	case t.hold && tx.ReadWrite:
		t.queueXid()
	case begin != "" && !t.hold:
		t.send(internal, statementKey{sql: "commit"}, nil, nil)
	}
	t.encode(&pgproto3.Sync{})
}

// closeDead deallocates what the session has dropped. These messages come first, so that no error prevents them.
func (t *trip) closeDead() int {
	for _, name := range t.session.dead {
		t.encode(&pgproto3.Close{ObjectType: 'S', Name: name})
	}
	return len(t.session.dead)
}

// sendText is send for a statement of this package.
func (t *trip) sendText(sql []byte, role, searchPath string, args [][]byte) {
	if p := t.session.find(sql, role, searchPath); p != nil && !t.options.Unprepared {
		t.execute(internal, p, args, nil)
		return
	}
	t.send(internal, statementKey{string(sql), role, searchPath}, args, nil)
}

// send queues one statement, prepared if it can be.
func (t *trip) send(statement int, key statementKey, args [][]byte, formats []int16) {
	if t.options.Unprepared {
		t.execute(statement, &prepared{key: key}, args, formats)
		return
	}
	t.execute(statement, t.session.get(key, t.options.Statements), args, formats)
}

func (t *trip) execute(statement int, p *prepared, args [][]byte, formats []int16) {
	s := step{statement: statement, member: t.member, prepared: p, parsed: !p.sent}
	if s.parsed {
		t.parse = pgproto3.Parse{Name: p.name, Query: p.key.sql}
		t.encode(&t.parse)
		t.encode(&pgproto3.Describe{ObjectType: 'S', Name: p.name})
		p.sent = true
	}
	t.bind = pgproto3.Bind{PreparedStatement: p.name, Parameters: args, ResultFormatCodes: formats}
	t.encodeBind()
	t.encode(&t.runAll)
	t.steps = append(t.steps, s)
}

func (t *trip) encode(m pgproto3.FrontendMessage) {
	if t.tooLarge != nil {
		return
	}
	out, err := m.Encode(t.out)
	if err != nil {
		t.tooLarge = fmt.Errorf("encode a statement: %w", err)
		return
	}
	t.out = out
}

// dropRefused forgets the statements that the server did not accept.
func (t *trip) dropRefused() {
	for _, s := range t.steps {
		if !s.prepared.accepted {
			t.session.drop(s.prepared)
		}
	}
}

// stale reports whether err may be due to a statement that was prepared earlier, under another catalog or in a server
// session that a pooler has taken away, so that it is worth another try. It forgets what must be prepared anew. The server
// finds that out before it executes anything of the statement: a function that fails is not called twice.
func (t *trip) stale(err error) bool {
	var answered *Error
	if t.at >= len(t.steps) || t.at < t.bound || t.steps[t.at].parsed || !errors.As(err, &answered) {
		return false
	}
	switch {
	case answered.Code == "26000": // invalid_sql_statement_name: if one is gone, all may be
		t.session.dropAll()
	case answered.outdated():
		for _, s := range t.steps {
			t.session.drop(s.prepared)
		}
	default:
		return false
	}
	return true
}

// outdated tells the errors that a prepared statement gives when a table, type or function has changed under it: its
// result is another one, or its arguments, whose types were found out at its preparation, do not fit any more.
func (e *Error) outdated() bool {
	switch e.Code {
	case "0A000":
		return e.Routine == "RevalidateCachedQuery"
	case "42501": // insufficient_privilege is an everyday answer
		return false
	}
	return strings.HasPrefix(e.Code, "42")
}

// restart makes the trip ready to be run again.
func (t *trip) restart() bool {
	if t.status != 'I' {
		t.rollback()
	}
	return t.status == 'I' && t.restartSink()
}

func (t *trip) restartSink() bool {
	if !t.sunk {
		return true
	}
	t.sunk = false
	return t.sink.Restart()
}

// rollback ends a transaction that an error has left open.
func (t *trip) rollback() {
	t.clearOut()
	t.steps, t.status = t.steps[:0], 0
	t.encode(&pgproto3.Query{String: "rollback"})
	_ = t.exchange() // the status tells
}

// end leaves the connection fit for others, or closes it, and gives it to the next trip of the pipeline or back.
func (t *trip) end(db *DB) {
	usable := t.settle(db)
	if !t.passOn(db, usable) {
		db.release(t.conn)
	}
	t.recycle()
}

// settle reports whether the connection can still be used.
func (t *trip) settle(db *DB) (usable bool) {
	t.unwatch()
	switch {
	case t.loss != nil:
	case t.status == 0: // the sink panics
		t.interruptNow()
		_ = t.receive(errUnwanted)
		t.unwatch()
	case t.status != 'I' && t.next == nil:
		_, stop := t.limit()
		stop()
		t.rollback()
	}
	usable = t.status == 'I' && t.clear() && len(t.session.altered) == 0
	if !usable {
		closeNow(t.wire)
	}
	if t.loss != nil && !t.orphan && !noRoom(t.loss) {
		db.lost(t.session, t.loss)
	}
	return usable
}

var errUnwanted = errors.New("nobody wants the answer")

// closeNow closes without another word to a server that may not hear it.
func closeNow(wire *pgconn.PgConn) {
	_ = wire.Conn().Close()
	_ = wire.Close(context.Background())
}
