package pg

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Sink receives the results of a Read. Values are valid only until the call returns, and nil for NULL.
type Sink interface {
	// Columns is called once for every statement, before its rows.
	Columns(statement int, names []string) error
	// Row is called for every row.
	Row(statement int, values [][]byte) error
}

// cancelGrace is how long a cancelled statement may take to end before its connection is given up.
const cancelGrace = 5 * time.Second

// Read runs the statements in one transaction and one round trip: settings, the pre-request function and the
// statements travel together, and one Sync ends the implicit transaction, with which all settings are undone.
//
// When ctx ends, the running statement is cancelled on the server. A connection that turns out to be dead before any
// row came is replaced, once. Errors are *Error, *ConnectError, *LostError, ErrAcquireTimeout, ErrClosed, ctx's, or
// what sink returned.
func (db *DB) Read(ctx context.Context, tx *Tx, statements []Statement, sink Sink) (err error) {
	if db.options.Trace != nil {
		var end func(error)
		ctx, end = db.options.Trace(ctx, statements[0].SQL)
		defer func() { end(err) }()
	}
	for attempt := 0; ; attempt++ {
		delivered, err := db.attempt(ctx, tx, statements, sink)
		if err == nil || delivered || attempt > 0 || !db.retryable(err) {
			return err
		}
	}
}

// retryable reports whether a read that delivered nothing may be tried on another connection.
func (db *DB) retryable(err error) bool {
	var lost *LostError
	var answered *Error
	switch {
	case errors.As(err, &lost):
	case errors.As(err, &answered) && answered.shuttingDown():
	case errors.As(err, &answered) && answered.staleStatement():
		return true
	default:
		return false
	}
	// What killed this connection, such as a restart, has most likely killed the idle ones too.
	if pool := db.pool.Load(); pool != nil {
		pool.Reset()
	}
	return true
}

func (db *DB) attempt(ctx context.Context, tx *Tx, statements []Statement, sink Sink) (delivered bool, err error) {
	pooled, err := db.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer pooled.Release()
	conn := pooled.Conn().PgConn()
	stop := cancelOn(ctx, conn)
	t := tripPool.Get().(*trip)
	defer t.release()
	t.conn, t.session, t.sink, t.options = conn, sessionOf(conn), sink, &db.options
	err = t.run(tx, statements)
	if cancelled := stop(); cancelled && err != nil {
		return t.delivered, ctx.Err()
	}
	return t.delivered, err
}

// cancelOn asks the server to cancel what runs on conn when ctx ends. The returned function ends the watch and
// reports whether it had come to that; after it, no cancellation can hit a later statement of the connection.
func cancelOn(ctx context.Context, conn *pgconn.PgConn) func() bool {
	if ctx.Done() == nil {
		return func() bool { return false }
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = conn.Conn().SetDeadline(time.Now().Add(cancelGrace))
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		_ = conn.CancelRequest(limited) // best effort: the deadline above ends the wait if it is lost
	})
	return func() bool {
		if stop() {
			return false
		}
		<-done
		_ = conn.Conn().SetDeadline(time.Time{})
		return true
	}
}

// trip is one round trip over one connection. It is pooled for its buffers.
type trip struct {
	conn      *pgconn.PgConn
	session   *session
	sink      Sink
	options   *Options
	sql       []byte
	args      [][]byte
	steps     []step
	names     []string
	delivered bool
}

// step is what a request of the pipeline is for.
type step struct {
	statement int // index of the caller's statement, or internal
	prepared  *prepared
	key       statementKey
}

const internal = -1

var tripPool = sync.Pool{New: func() any { return new(trip) }}

func (t *trip) release() {
	clear(t.args)
	clear(t.steps)
	*t = trip{sql: t.sql[:0], args: t.args[:0], steps: t.steps[:0], names: t.names[:0]}
	tripPool.Put(t)
}

func (t *trip) run(tx *Tx, statements []Statement) error {
	// The context is watched by cancelOn: pgconn's own watcher would cost a goroutine and the connection.
	p := t.conn.StartPipeline(context.Background())
	begin := tx.begin()
	if begin != "" {
		t.send(p, statementKey{sql: begin}, nil, nil, internal)
	}
	t.sql, t.args = tx.settings(t.sql[:0], t.args[:0])
	t.sendSettings(p)
	if tx.PreRequest != "" {
		t.send(p, statementKey{"select " + tx.PreRequest + "()", tx.Role, tx.SearchPath}, nil, nil, internal)
	}
	for i := range statements {
		t.send(p, statementKey{statements[i].SQL, tx.Role, tx.SearchPath}, statements[i].Args, statements[i].Formats, i)
	}
	if begin != "" {
		t.send(p, statementKey{sql: "commit"}, nil, nil, internal)
	}
	if err := p.Sync(); err != nil {
		_ = p.Close()
		return serverError(err)
	}
	err := t.receive(p)
	if closeErr := p.Close(); err == nil && closeErr != nil {
		err = serverError(closeErr)
	}
	if err != nil && begin != "" && t.conn.TxStatus() != 'I' {
		_, _ = t.conn.Exec(context.Background(), "rollback").ReadAll()
	}
	return err
}

// sendSettings looks the settings statement up without making a string of its text for each request.
func (t *trip) sendSettings(p *pgconn.Pipeline) {
	if s, ok := t.session.statements[statementKey{sql: string(t.sql)}]; ok && s.description != nil && !t.options.Unprepared {
		t.session.clock++
		s.used = t.session.clock
		p.SendQueryStatement(s.description, t.args, nil, nil)
		t.steps = append(t.steps, step{statement: internal})
		return
	}
	t.send(p, statementKey{sql: string(t.sql)}, t.args, nil, internal)
}

// send queues one statement, prepared if it can be.
func (t *trip) send(p *pgconn.Pipeline, key statementKey, args [][]byte, formats []int16, statement int) {
	if t.options.Unprepared {
		p.SendQueryParams(key.sql, args, nil, nil, formats)
		t.steps = append(t.steps, step{statement: statement})
		return
	}
	prep := t.session.get(key)
	switch {
	case prep.description != nil:
		p.SendQueryStatement(prep.description, args, nil, formats)
	case prep.sent: // earlier in this trip
		p.SendQueryPrepared(prep.name, args, nil, formats)
	default:
		t.prepare(p, prep, key)
		p.SendQueryPrepared(prep.name, args, nil, formats)
	}
	t.steps = append(t.steps, step{statement: statement, key: key})
}

func (t *trip) prepare(p *pgconn.Pipeline, prep *prepared, key statementKey) {
	for _, name := range t.session.evict(t.options.Statements) {
		p.SendDeallocate(name)
		t.steps = append(t.steps, step{statement: internal})
	}
	prep.sent = true
	p.SendPrepare(prep.name, key.sql, nil)
	t.steps = append(t.steps, step{statement: internal, prepared: prep, key: key})
}

// receive reads what the pipeline answers, step by step.
func (t *trip) receive(p *pgconn.Pipeline) error {
	for i, s := range t.steps {
		result, err := p.GetResults()
		if err == nil {
			switch result := result.(type) {
			case *pgconn.StatementDescription:
				result.Name = s.prepared.name
				s.prepared.description = result
			case *pgconn.ResultReader:
				err = t.rows(result, s.statement)
			}
		}
		if err != nil {
			return t.fail(i, err)
		}
	}
	return nil
}

// fail cleans up after the step that failed and gives the error in this package's terms.
func (t *trip) fail(failed int, err error) error {
	var own *sinkError
	if errors.As(err, &own) {
		// Nobody wants the rest: without a cancellation the server would send all of it.
		ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
		defer cancel()
		_ = t.conn.CancelRequest(ctx)
		err = own.err
	} else {
		err = serverError(err)
	}
	var answered *Error
	stale := errors.As(err, &answered) && answered.staleStatement()
	for i, s := range t.steps {
		if s.prepared != nil && s.prepared.description == nil || stale && i == failed {
			t.session.forget(s.key)
		}
	}
	return err
}

// sinkError marks an error as the sink's own.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

func (t *trip) rows(r *pgconn.ResultReader, statement int) error {
	if statement != internal {
		t.names = t.names[:0]
		for _, f := range r.FieldDescriptions() {
			t.names = append(t.names, f.Name)
		}
		if err := t.sink.Columns(statement, t.names); err != nil {
			return &sinkError{err}
		}
		for r.NextRow() {
			t.delivered = true
			if err := t.sink.Row(statement, r.Values()); err != nil {
				return &sinkError{err}
			}
		}
	}
	_, err := r.Close()
	return err
}
