package slipstream

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/http"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/replicas"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/writetoken"
)

// openReplicas makes the replicas of a configuration. Those that are standbys of what the cache follows fill it, too.
func (s *Server) openReplicas(cfg Config) (err error) {
	if len(cfg.DBReplicas) == 0 {
		return nil
	}
	pool := cfg.pool(s.log, s.trace)
	pool.Buffers = s.buffers
	o := replicas.Options{
		DSNs: cfg.DBReplicas, Primary: s.db, Pool: pool, MaxLag: cfg.ReplicaMaxLag,
		Clock: cache.SystemClock(), Logger: s.log,
	}
	if s.caching != nil {
		o.Looking = func(i int) func(context.Context, feed.Sight, error) { return s.caching.standbys.looking(i) }
	}
	if s.replicas, err = replicas.New(o); err != nil {
		return err
	}
	if s.caching != nil {
		s.caching.standbys.add(s.replicas, s.db, s.caching.watched)
	}
	return nil
}

// readsOn gives what a read is run on, or nil where it is to be the primary. Tokens are signed with key; nil has none.
func (s *Server) readsOn(key writetoken.Key) func(*http.Request) rest.Replica {
	return func(r *http.Request) rest.Replica {
		need := s.replicas.Own(s.writer(r))
		if age, limited := httpcache.MaxAge(r.Header); limited {
			if age == 0 {
				return nil
			}
			need.MaxLag = time.Duration(age) * time.Second
		}
		if tokens, ok := r.Header[writetoken.Header]; ok {
			now := s.replicas.Primary()
			place, valid := key.VerifyAll(tokens)
			if key == nil || !valid || !place.Within(now.System, now.Timeline) {
				return nil // it may be of what no replica will ever tell
			}
			need.LSN = max(need.LSN, place.LSN)
		}
		return &replicaRead{s.replicas, need}
	}
}

// replicaRead is a rest.Replica.
type replicaRead struct {
	set  *replicas.Set
	need replicas.Need
}

func (t *replicaRead) Read(ctx context.Context, tx *pg.Tx, statements []pg.Statement, sink pg.Sink) error {
	return full(t.set.Read(ctx, t.need, tx, statements, sink))
}

func (t *replicaRead) Again(ctx context.Context, tx *pg.Tx, statements []pg.Statement, sink pg.Sink) error {
	return full(t.set.Again(ctx, tx, statements, sink))
}

// full makes replicas.ErrFull a client's error.
func full(err error) error {
	if errors.Is(err, replicas.ErrFull) {
		return &apierr.Error{
			Code: "SLIP220", Message: "No replica can answer, and the primary has enough to do",
			Hint: "Try again later", Header: http.Header{"Retry-After": {"1"}},
		}
	}
	return err
}

// writer tells who writes and reads again: whoever has the same subject and role, or without a subject the same claims. Those
// without a token are told apart by where they come from, as well as that can be known.
func (s *Server) writer(r *http.Request) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	add := func(text string) {
		_, _ = h.WriteString(text) // a hash takes everything
		_ = h.WriteByte(0)
	}
	caller := auth.CallerFrom(r.Context())
	switch {
	case caller == nil:
	case caller.Subject != "":
		add(caller.Role)
		add(caller.Subject)
	case !caller.Anonymous:
		_, _ = h.Write(caller.Claims)
	default:
		address, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			address = r.RemoteAddr
		}
		add(address)
		for _, line := range r.Header["X-Forwarded-For"] {
			add(line)
		}
	}
	return h.Sum64()
}
