package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

const (
	minFetchGap    = 10 * time.Second // between fetches that unknown kids ask for
	firstRetry     = time.Second      // after a failed fetch; doubles
	maxRetry       = time.Minute
	maxKeySetBytes = 1 << 20
)

// remote is a key set behind an address. All fetches happen in run, one at a
// time; requests that miss a key ask for one and wait for its end.
type remote struct {
	fetcher *fetcher
	v       *Verifier
	log     *slog.Logger
	refresh time.Duration
	wake    chan struct{} // a request asks for a fetch; capacity 1

	mu      sync.Mutex
	running bool
	pending chan struct{} // closed when the fetch asked for or under way ends; nil if none is
	started time.Time     // of the latest fetch
	fetched time.Time     // of the keys in use
	err     error         // of the latest fetch
	retryIn time.Duration // 0 after a success
	body    []byte        // what the keys in use were read from
}

func newRemote(c Config, v *Verifier) (*remote, error) {
	f, err := newFetcher(c.Secret, c.Client)
	if err != nil {
		return nil, err
	}
	r := &remote{fetcher: f, v: v, log: v.log, refresh: c.JWKSRefresh, wake: make(chan struct{}, 1)}
	if r.refresh <= 0 {
		r.refresh = DefaultJWKSRefresh
	}
	return r, nil
}

func (r *remote) run(ctx context.Context) error {
	r.mu.Lock()
	if r.running {
		r.mu.Unlock()
		return errors.New("refresh the JWK set: Run was called twice")
	}
	r.running = true
	r.mu.Unlock()
	defer r.stop()

	for {
		r.begin()
		o := r.fetch(ctx)
		r.end()
		r.report(o)
		timer := time.NewTimer(o.next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
		}
	}
}

// begin opens the fetch that requests can wait for. A request that asked before
// is served by it, and need not cause another.
func (r *remote) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = r.v.now()
	if r.pending == nil {
		r.pending = make(chan struct{})
	}
	select {
	case <-r.wake:
	default:
	}
}

func (r *remote) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.pending)
	r.pending = nil
}

// stop lets those go that asked after the last fetch.
func (r *remote) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
	if r.pending != nil {
		close(r.pending)
		r.pending = nil
	}
	r.fetcher.close()
}

// outcome is what a fetch brought.
type outcome struct {
	next    time.Duration // until the next fetch
	keys    []key         // nil if they are the same as before
	skipped []error       // why keys were left out
	err     error
}

// fetch gets the keys once. A failure changes nothing: old keys are better than
// none.
func (r *remote) fetch(ctx context.Context) (o outcome) {
	body, maxAge, err := r.fetcher.get(ctx)
	if ctx.Err() != nil {
		return outcome{next: r.refresh} // run ends; this was no failure
	}
	if err == nil && !r.has(body) {
		o.keys, o.skipped, err = parseKeySet(body, onlyPublic)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, o.err = err, err
	if err != nil {
		r.retryIn = min(max(firstRetry, 2*r.retryIn), maxRetry, r.refresh)
		o.next = r.retryIn
		return o
	}
	r.fetched, r.retryIn = r.v.now(), 0
	if o.keys != nil {
		r.body = body
		r.v.use(o.keys)
	}
	o.next = nextFetch(maxAge, r.refresh)
	return o
}

func (r *remote) report(o outcome) {
	if o.err != nil {
		r.log.Warn("the JWK set could not be fetched", "jwks", r.fetcher.name, "error", o.err, "retry_in", o.next)
		return
	}
	for _, reason := range o.skipped {
		r.log.Warn("a key of the JWK set cannot be used", "jwks", r.fetcher.name, "reason", reason)
	}
	if o.keys != nil {
		r.log.Info("new keys from the JWK set", "jwks", r.fetcher.name, "keys", len(o.keys))
	}
}

func (r *remote) has(body []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body != nil && bytes.Equal(r.body, body)
}

// nextFetch respects the issuer's max-age (0 if it sent none) within bounds:
// refresh is the longest that a withdrawn key may be believed.
func nextFetch(maxAge, refresh time.Duration) time.Duration {
	if maxAge <= 0 {
		return refresh
	}
	return min(max(maxAge, minFetchGap), refresh)
}

// newerThan asks for a fetch, and returns the keys after it: old again if
// nothing changed, if fetches are too frequent, or if ctx ended.
func (r *remote) newerThan(ctx context.Context, old *keySet) *keySet {
	done := r.ask(old)
	if done == nil {
		return r.v.keys.Load()
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	return r.v.keys.Load()
}

// ask returns what is closed at the end of the fetch, or nil if there will be
// none: unknown kids cost nothing to invent.
func (r *remote) ask(old *keySet) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.running || r.v.keys.Load() != old:
		return nil
	case r.pending != nil:
		return r.pending
	case r.v.now().Sub(r.started) < minFetchGap:
		return nil
	}
	r.pending = make(chan struct{})
	r.wake <- struct{}{} // begin empties it under the same lock, so that it has room
	return r.pending
}

// unavailable is the answer to tokens as long as there are no keys.
func (r *remote) unavailable() *apierr.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	cause := r.err
	if cause == nil && !r.running {
		cause = errors.New("the verifier does not run")
	}
	return errNoKeysYet(r.retryIn, cause)
}
