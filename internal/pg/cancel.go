package pg

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// canceller ends what runs on a connection, when a context ends or nobody wants the rest. Its connection can be used
// again afterwards only if every request to cancel is known to have had its effect: a late one would hit the next
// statement.
type canceller struct {
	wire      *pgconn.PgConn
	grace     time.Duration // see DB.cancelGrace
	stop      func() bool   // of the context's watch; nil when there is none
	interrupt bool          // it was asked to cancel without the context
	begun     atomic.Bool
	over      chan struct{} // of one element, sent when there is nothing left to cancel
	done      sync.WaitGroup
	used      bool        // the connection has got a deadline
	unsure    atomic.Bool // a request to cancel may still be under way
}

// watch begins to heed ctx, until unwatch.
func (c *canceller) watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	c.done.Add(1)
	c.stop = context.AfterFunc(ctx, c.cancel)
}

// interruptNow begins to cancel, until unwatch, without waiting for the end of the context.
func (c *canceller) interruptNow() {
	c.interrupt = true
	c.done.Add(1)
	go c.cancel()
}

// unwatch reports whether the context has ended. After it, no cancellation is under way from here.
func (c *canceller) unwatch() (ended bool) {
	if c.stop != nil {
		if ended = !c.stop(); !ended {
			c.done.Done()
		}
		c.stop = nil
	}
	if !ended && !c.interrupt {
		return false
	}
	c.over <- struct{}{}
	c.done.Wait()
	select {
	case <-c.over:
	default:
	}
	c.begun.Store(false)
	c.interrupt, c.used = false, true
	return ended
}

// cancel asks the server to end the statement until it has ended: a request has no effect when it comes before the
// server has begun with the statement, or between two of them.
func (c *canceller) cancel() {
	defer c.done.Done()
	if !c.begun.CompareAndSwap(false, true) {
		return
	}
	ctx, stop := c.limit()
	defer stop()
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		c.request(ctx)
		select {
		case <-c.over:
			return
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// limit bounds what still happens on the connection, and the requests to cancel it.
func (c *canceller) limit() (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(c.grace)
	_ = c.wire.Conn().SetDeadline(deadline) // errs on a closed connection only, where nothing waits
	return context.WithDeadline(context.Background(), deadline)
}

// request returns when the server has closed the cancel request's connection: it has signalled the session then.
func (c *canceller) request(ctx context.Context) {
	if err := c.wire.CancelRequest(ctx); err != nil || ctx.Err() != nil {
		c.unsure.Store(true)
	}
}

// clear takes the deadline off a connection that goes on, and reports whether it may.
func (c *canceller) clear() bool {
	if c.unsure.Load() {
		return false
	}
	return !c.used || c.wire.Conn().SetDeadline(time.Time{}) == nil
}
