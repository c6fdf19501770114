package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ListenHandlers are what Listen calls, one after the other.
type ListenHandlers struct {
	// Connected is called whenever LISTEN has taken effect: what was sent before, while nobody listened, is lost.
	Connected func()
	// Notified is called with each payload.
	Notified func(payload string)
	// Failed is called when the connection broke or could not be made, with the pause before the next try.
	Failed func(err error, pause time.Duration)
}

// Listen receives NOTIFY channel on a connection of its own until ctx is done. It connects again with growing
// pauses, from 1 s to 32 s, as long as it takes. It needs a direct connection: poolers in transaction mode carry no
// LISTEN. Of several hosts in the DSN it takes the primary, because standbys know no LISTEN.
func (db *DB) Listen(ctx context.Context, channel string, h ListenHandlers) {
	const first, longest = time.Second, 32 * time.Second
	pause := first
	for {
		err := db.listen(ctx, channel, func() {
			pause = first
			h.Connected()
		}, h.Notified)
		if ctx.Err() != nil {
			return
		}
		h.Failed(err, pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(pause*2, longest)
	}
}

func (db *DB) listen(ctx context.Context, channel string, connected func(), notified func(string)) error {
	config := db.config.ConnConfig.Copy()
	config.RuntimeParams["application_name"] = db.options.ApplicationName + " listener"
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	if err := db.lookout.steer(ctx, config); err != nil {
		return &ConnectError{err}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return &ConnectError{err}
	}
	db.open.add(conn.PgConn()) // to be cut when there is another primary
	defer db.open.remove(conn.PgConn())
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", serverError(err))
	}
	connected()
	for {
		n, err := db.nextNotification(ctx, conn)
		if err != nil {
			return &LostError{Err: err}
		}
		if n != nil {
			notified(n.Payload)
		}
	}
}

// nextNotification returns nil when none came for a while and the server is still there. A connection can die without
// a word on the way; only asking tells.
func (db *DB) nextNotification(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	quiet, stop := context.WithTimeout(ctx, db.heartbeat)
	defer stop()
	n, err := conn.WaitForNotification(quiet)
	if err == nil || quiet.Err() == nil || ctx.Err() != nil {
		return n, err
	}
	asking, stop := context.WithTimeout(ctx, db.options.ConnectTimeout)
	defer stop()
	return nil, conn.Ping(asking)
}
