package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ListenHandlers are what Listen calls.
type ListenHandlers struct {
	// Connected is called whenever LISTEN has taken effect: what was sent before, while nobody listened, is lost.
	Connected func()
	// Notified is called with each payload.
	Notified func(payload string)
	// Failed is called when the connection broke or could not be made, with the pause before the next try.
	Failed func(err error, pause time.Duration)
}

// Listen receives NOTIFY channel on a connection of its own until ctx is done. It connects again with growing
// pauses, from 1 s to 32 s, as long as it takes. It needs a direct connection: poolers in transaction mode carry no LISTEN.
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
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return &ConnectError{hideDSN(err)}
	}
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
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return &LostError{err}
		}
		notified(n.Payload)
	}
}
