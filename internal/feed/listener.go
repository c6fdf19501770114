package feed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// channel carries what the triggers of the installation tell, and heartbeats:
//
//	table OID XID     a statement that named the table was part of the transaction
//	schema XID        the transaction changed definitions, rights or policies
//	heartbeat NONCE
const channel = "slipstream_cache"

// listener is a session's source in the mode Notify: a connection that listens.
//
// It misses nothing. Transactions that notify hold a lock of the whole server from the moment at which their notifications
// enter the queue until their commit is visible, so the queue has the order of commits; and it is read up to the first
// notification whose transaction other sessions do not see yet (PreCommit_Notify and asyncQueueProcessPageEntries in
// https://github.com/postgres/postgres/blob/master/src/backend/commands/async.c). So, when a heartbeat comes back, all has
// come that was visible before it was sent, and what comes is visible to all who ask from then on. LISTEN skips only what
// was visible before it.
//
// No trigger tells what a transaction wrote to the table before there was one. There is no such transaction: CREATE TRIGGER
// and ALTER TABLE wait for the table's writers, and have those who come wait (SHARE ROW EXCLUSIVE).
type listener struct {
	*session
	ears *pgx.Conn
}

// ofListener has the server end a session that listens but cannot be reached: its notifications would fill the queue until
// commits fail. Nor may the server end one because it is idle.
var ofListener = map[string]string{
	"idle_session_timeout": "0", "tcp_keepalives_idle": "15", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "4",
	"tcp_user_timeout": "60000",
}

func (l *listener) open(ctx context.Context) (err error) {
	if err := l.compareOrigin(ctx); err != nil {
		return err
	}
	if l.ears, err = connect(ctx, l.feed.options.DSN, ofListener, func() {}); err != nil {
		return err
	}
	_, err = l.ears.Exec(ctx, "listen "+channel)
	return err
}

// identify implements source. Not every server that is managed by others
// tells; then positions of commits cannot be compared with those that clients bring.
func (l *listener) identify(ctx context.Context) (origin, error) {
	o, err := l.askOrigin(ctx)
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) {
		return origin{}, nil
	}
	return o, err
}

func (l *listener) close() {
	if l.ears != nil {
		closeConn(l.ears)
	}
}

func (l *listener) prompts() <-chan struct{} { return l.feed.prompts }

// run implements source.
func (l *listener) run(ctx context.Context) error {
	for {
		n, err := l.ears.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Channel == channel {
			l.notified(n.Payload)
		}
	}
}

// notified takes a notification. Anybody can send one: what cannot be read is nobody's of ours.
func (l *listener) notified(payload string) {
	l.feed.deliver.Lock()
	defer l.feed.deliver.Unlock()
	kind, rest, _ := strings.Cut(payload, " ")
	switch kind {
	case "heartbeat":
		l.heard(rest, 0, 0)
	case "schema":
		if xid, err := parseXid(rest); err == nil {
			l.schemaChanged(xid)
		}
	case "table":
		number, rest, _ := strings.Cut(rest, " ")
		oid, err := strconv.ParseUint(number, 10, 32)
		xid, malformed := parseXid(rest)
		if err == nil && malformed == nil {
			l.written(uint32(oid), xid)
		}
	}
}

// parseXid reads a 64-bit transaction id; the changes of one have its low half.
func parseXid(text string) (uint32, error) {
	xid, err := strconv.ParseUint(text, 10, 64)
	return uint32(xid), err
}

// written tells that a table was named, which stands for itself and all below it. While it is not known what that is, no
// table can be relied upon.
func (l *listener) written(oid, xid uint32) {
	tx := Transaction{Xid: xid, EndLSN: math.MaxUint64, Changes: []Change{{Relation: oid, Kind: Many}}}
	if c := l.catalog.Load(); c != nil {
		for _, below := range c.below[oid] {
			tx.Changes = append(tx.Changes, Change{Relation: below, Kind: Many})
		}
	}
	l.feed.handlers.Committed(&tx)
}

// notifyHeartbeat waits for nothing, not even the disk: what it proves is in the queue, which a crash empties.
const notifyHeartbeat = `
select pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0')::text, current_setting('synchronous_standby_names') <> '',
	pg_notify('` + channel + `', 'heartbeat ' || $1)::text`

// awaitStandbys waits for synchronous standbys, as other commits do: a primary that they have left, since there may be a new
// one, must not be taken for fresh. It is no part of notifyHeartbeat, which would wait for them with the lock that all who
// notify need.
const awaitStandbys = "select pg_logical_emit_message(true, '" + heartbeatPrefix + "', ''::text)"

// send implements source. The position was read before the session's own commit: whoever committed before it had his
// notifications in the queue by then.
func (l *listener) send(ctx context.Context, nonce string) (snapshot string, position uint64, err error) {
	var text string
	var standbys bool
	if err := l.conn.QueryRow(ctx, notifyHeartbeat, nonce).Scan(&snapshot, &text, &standbys, nil); err != nil {
		return "", 0, err
	}
	if standbys {
		if _, err := l.conn.Exec(ctx, awaitStandbys); err != nil {
			return "", 0, err
		}
	}
	position, err = strconv.ParseUint(text, 10, 64)
	return snapshot, position, err
}

// deaf is how long a heartbeat may have been sent that does not come back.
const deaf = 10 * time.Second

// check implements source.
func (l *listener) check(ctx context.Context) error {
	var installed bool
	if err := l.conn.QueryRow(ctx, "select "+triggersInstalled+" and "+tellsInstalled).Scan(&installed); err != nil {
		return fmt.Errorf("look at the installation: %w", err)
	}
	if !installed {
		return tellsNothing
	}
	l.feed.deliver.Lock()
	defer l.feed.deliver.Unlock()
	for _, b := range l.beats {
		if b.acknowledged && l.feed.options.Clock()-b.Sent > deaf {
			return errors.New("own notifications do not come back: set cache-db-uri to a connection past the pooler, as LISTEN needs a session")
		}
	}
	return nil
}
