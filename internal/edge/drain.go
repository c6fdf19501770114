package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// lastCall is how long idle connections stay open after the listener has closed. A client
// that reuses one in this time gets its answer, with "Connection: close"; closing at
// once would reset the requests that are just under way on the network.
const lastCall = 250 * time.Millisecond

func (s *Server) drain(ctx context.Context, srv *http.Server) error {
	log := s.options.Log
	s.draining.Store(true)
	log.InfoContext(ctx, "drain begins", slog.Int64("connections", s.open.Load()))
	if s.options.DrainDelay > 0 {
		time.Sleep(s.options.DrainDelay)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.DrainTimeout)
	defer cancel()
	_ = (*s.listener.Load()).Close() // Shutdown closes it again and reports what matters
	s.waitEmpty(lastCall)

	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		cut := s.open.Load()
		err = errors.Join(fmt.Errorf("drain: %d connections cut after %s", cut, s.options.DrainTimeout), srv.Close())
	}
	log.InfoContext(ctx, "drain ended", slog.Any("error", err))
	return err
}

// waitEmpty returns when no connection is open, or after max.
func (s *Server) waitEmpty(most time.Duration) {
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	for s.open.Load() > 0 {
		select {
		case <-s.emptied: // perhaps a value of long ago: look again
		case <-timeout.C:
			return
		}
	}
}
