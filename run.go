package slipstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Run serves until ctx is done, then drains: /ready turns 503, requests in flight finish, and all that was opened is
// closed. It returns nil after a clean end. Losing the database does not end it, unless db-pool-automatic-recovery is
// off; it comes back by itself. Settings in the database that are wrong at the start are an error.
func (s *Server) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	if _, err := telemetry.SetMemoryLimit(ctx, s.log); err != nil {
		s.log.Warn("memory limit not set", "error", err)
	}
	if err := s.tracer.Start(ctx); err != nil {
		return fmt.Errorf("start tracing: %w", err)
	}
	cfg := s.current.Load().config
	if err := s.listen(ctx, cfg); err != nil {
		return errors.Join(err, s.close(ctx))
	}

	// What requests need lives on until the last of them is answered.
	below, endBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer endBelow()
	var support sync.WaitGroup
	s.support(below, &support)
	endShared := s.share(ctx)
	defer endShared()

	// The admin server stays while the API drains, so that /ready can say so. When one of the two fails, both end.
	api, endAPI := context.WithCancelCause(ctx)
	defer endAPI(nil)
	go func() {
		select {
		case err := <-s.fatal:
			endAPI(err)
		case <-api.Done():
		}
	}()
	admin, endAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer endAdmin()
	var adminErr error
	adminDone := make(chan struct{})
	go func() {
		defer close(adminDone)
		if cfg.hasAdmin() {
			defer endAPI(nil)
			adminErr = s.admin.Serve(admin, s.adminHandler())
		}
	}()
	err := s.api.Serve(api, s.Handler())
	endAdmin()
	<-adminDone
	err = errors.Join(err, adminErr, fatalCause(ctx, api))
	endBelow()
	support.Wait()
	endShared()
	return errors.Join(err, s.close(ctx))
}

// fatalCause is the error that ended the API's context, nil when its parent's end did, or nothing.
func fatalCause(parent, api context.Context) error {
	if cause := context.Cause(api); parent.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (c Config) hasAdmin() bool { return c.AdminServerPort != NoPort || c.AdminServerUnixSocket != "" }

// listen binds both addresses, so that a taken port is an error at once.
func (s *Server) listen(ctx context.Context, cfg Config) error {
	if err := s.api.Listen(ctx); err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	s.log.Info("API server listening", "address", s.Addr())
	if !cfg.hasAdmin() {
		return nil
	}
	if err := s.admin.Listen(ctx); err != nil {
		return fmt.Errorf("admin server: %w", errors.Join(err, s.api.Close()))
	}
	if at, ok := s.admin.Addr().(*net.TCPAddr); ok && cfg.adminBesideAPI() && at.Port != cfg.AdminServerPort {
		s.log.Warn("the default port of the admin server is taken, it has another one", "taken", cfg.AdminServerPort)
	}
	s.log.Info("admin server listening", "address", s.AdminAddr())
	return nil
}

// support starts what works in the background until ctx is done.
func (s *Server) support(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() {
		if err := s.db.Run(ctx); err != nil {
			s.log.Error("connection pool", "error", err)
		}
	})
	if s.access != nil {
		wg.Go(func() {
			if err := s.access.Run(ctx); err != nil {
				s.log.Error("access log", "error", err)
			}
		})
	}
	if s.caching != nil && s.caching.tier != nil {
		wg.Go(func() { s.caching.tier.Run(ctx) })
	}
	if s.limiting.shared != nil {
		wg.Go(func() { s.countInstances(ctx) })
	}
	if !s.current.Load().config.DisableMemoryGuard {
		wg.Go(func() { s.memory.Run(ctx) })
	}
	if s.replicas != nil {
		wg.Go(func() { s.replicas.Run(ctx) })
	}
	wg.Go(func() { s.keepKeys(ctx) })
	wg.Go(func() { s.keepCatalog(ctx) })
	if s.caching != nil {
		wg.Go(func() { s.caching.run(ctx, s.current.Load().config) })
		if p := s.caching.purging; p != nil {
			wg.Go(func() { p.purger.Run(ctx) })
		}
	}
}

// share connects to Redis until end is called: after all else has ended, since who leaves says so there.
func (s *Server) share(ctx context.Context) (end func()) {
	if s.redis == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.redis.Run(ctx) }) // it ends with ctx only
	return func() {
		cancel()
		wg.Wait()
	}
}

// keepKeys runs the verifier of the current configuration, and changes over with it.
func (s *Server) keepKeys(ctx context.Context) {
	for ctx.Err() == nil {
		now := s.current.Load()
		running, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := now.verifier.Run(running); err != nil {
				s.log.Error("key set", "error", err)
			}
		}()
		select {
		case <-ctx.Done():
		case <-s.retired:
		}
		stop()
		<-done
	}
}

func (s *Server) close(ctx context.Context) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := s.tracer.Close(closing)
	if s.output != nil {
		err = errors.Join(err, s.output.Close())
	}
	return err
}
