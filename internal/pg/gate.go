package pg

import (
	"log/slog"
	"sync"
	"time"
)

// retryPause is the time after a failed attempt to connect in which there is no other.
const retryPause = 250 * time.Millisecond

// gate keeps callers from queueing up before a server that takes no connections. After a failed attempt all get its
// error at once, save one at a time who tries again.
type gate struct {
	log   *slog.Logger
	mu    sync.Mutex
	err   *ConnectError // of the last attempt; nil after a success
	again time.Time     // when the next attempt may be made
}

// pass returns nil to who may try to connect, which takes no longer than patience. Then opened or failed is called;
// where neither is, as when nobody waits for the attempt any more, the next one may be made after patience.
func (g *gate) pass(patience time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		return nil
	}
	now := time.Now()
	if now.Before(g.again) {
		return g.err
	}
	g.again = now.Add(patience)
	return nil
}

func (g *gate) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		g.log.Info("the database takes connections again")
	}
	g.err = nil
}

func (g *gate) failed(err *ConnectError) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.log.Warn("the database takes no connections", "error", err.Err)
	}
	g.err, g.again = err, time.Now().Add(retryPause)
	return err
}
