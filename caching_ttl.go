package slipstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

// renewals fetch answers anew whose time is over, in the background, while the server runs.
type renewals struct {
	log     *slog.Logger
	workers int
	work    chan func(context.Context)
}

// newRenewals leaves at least half of the connections to requests that somebody waits for.
func newRenewals(cfg Config, log *slog.Logger) *renewals {
	return &renewals{log: log, workers: max(1, cfg.DBPool/2), work: make(chan func(context.Context))}
}

// run works until ctx ends.
func (r *renewals) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range r.workers {
		workers.Go(func() {
			for {
				select {
				case f := <-r.work:
					r.do(ctx, f)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	workers.Wait()
}

// start gives f to a worker, unless none is idle.
func (r *renewals) start(f func(context.Context)) bool {
	select {
	case r.work <- f:
		return true
	default:
		return false
	}
}

func (r *renewals) do(ctx context.Context, f func(context.Context)) {
	defer func() {
		cause := recover()
		if err, ok := cause.(error); cause == nil || ok && errors.Is(err, http.ErrAbortHandler) {
			return // the latter is how a request ends whose context has ended
		}
		r.log.ErrorContext(ctx, "an answer could not be fetched anew", "panic", cause, "stack", string(debug.Stack()))
	}()
	f(ctx)
}

// wroteTo drops answers with a limit of what this server has written itself. Those that depend on changes are told of the
// write as of all others.
func (k *caching) wroteTo(tables ...uint32) {
	if !k.limits.Load() {
		return
	}
	ids := make([]cache.Table, len(tables))
	for i, t := range tables {
		ids[i] = cache.Table(t)
	}
	k.cache.Wrote(ids...)
}

// outdated has the catalog read again, as a definition is newer: where nothing is installed in the database, nothing else
// tells. The catalog has seen all transactions before since. While one of them is under way for long, definitions look newer
// than they are however often the catalog is read.
func (k *caching) outdated(since int64) {
	const pause, longPause = 5 * time.Second, time.Minute
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := pause
	if since == k.outdatedSince {
		wait = longPause
	}
	if now := time.Now(); now.Sub(k.outdatedAt) >= wait {
		k.outdatedSince, k.outdatedAt = since, now
		k.reload()
	}
}
