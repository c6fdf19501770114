package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// drain gets the result of srv.Serve from accepting.
func (s *Server) drain(ctx context.Context, srv *http.Server, accepting <-chan error) error {
	log := s.options.Log
	s.draining.Store(true)
	log.InfoContext(ctx, "drain begins", slog.Int64("connections", s.open.Load()))
	if s.options.DrainDelay > 0 {
		time.Sleep(s.options.DrainDelay)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.DrainTimeout)
	defer cancel()
	if err := (*s.listener.Load()).Close(); err != nil {
		log.WarnContext(ctx, "close listener", slog.Any("error", err))
	}
	// Waited for, else Shutdown would close the listener a second time, which is an error.
	log.DebugContext(ctx, "no more connections are accepted", slog.Any("reason", <-accepting))
	s.waitEmpty(s.options.LastCall)

	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		cut := s.open.Load()
		err = errors.Join(fmt.Errorf("drain: %d connections cut after %s", cut, s.options.DrainTimeout), srv.Close())
	}
	log.InfoContext(ctx, "drain ended", slog.Any("error", err))
	return err
}

// waitEmpty returns when no connection is open, or after most.
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
