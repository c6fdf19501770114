package slipstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// ReloadConfig puts another configuration in force for new requests, with the settings in the database, which it reads
// again. What needs new listeners, a new pool or new log files (docs/configuration.md marks it) stays as it is until a
// restart. When cfg or a setting in the database is not valid, nothing changes. When the database does not answer,
// nothing changes until it does.
func (s *Server) ReloadConfig(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	s.loads.mu.Lock()
	defer s.loads.mu.Unlock()
	s.loads.base = cfg
	if err := s.configure(ctx); err != nil {
		if errors.Is(err, ErrDatabaseSettings) {
			s.requestReload()
		}
		return err
	}
	s.log.Info("configuration reloaded")
	return s.loadSchema(ctx)
}

// invalidSettings are settings in the database that cannot be put in force.
type invalidSettings struct{ error }

func (e invalidSettings) Unwrap() error { return e.error }

// configure puts the base configuration with the settings in the database in force. Whoever calls it holds loads.mu.
func (s *Server) configure(ctx context.Context) error {
	settings, err := s.loads.base.readDatabase(ctx, s.db)
	if err != nil {
		return err
	}
	cfg, warnings, err := s.loads.base.WithDatabaseSettings(settings)
	if err != nil {
		return invalidSettings{err}
	}
	s.announce(settings, warnings)
	cfg = cfg.WithDefaults()
	before := s.current.Load()
	if reflect.DeepEqual(cfg, before.config) {
		return nil
	}
	next, err := s.serve(cfg, before)
	if err != nil {
		return invalidSettings{err}
	}
	s.current.Store(next)
	if level, err := telemetry.ParseLevel(cfg.LogLevel); err == nil {
		s.level.Set(level)
	}
	select {
	case s.retired <- before:
	default:
	}
	return nil
}

// announce logs what the database says, when it says something new. Values may be secrets.
func (s *Server) announce(settings map[string]string, warnings []string) {
	if maps.Equal(settings, s.loads.settings) {
		return
	}
	s.loads.settings = settings
	for _, w := range warnings {
		s.log.Warn(w)
	}
	s.log.Info("configuration read from the database", "settings", sortedKeys(settings))
}

// givesUp reports whether an error of the catalog ends the server.
func (s *Server) givesUp(err error) bool {
	var invalid invalidSettings
	var connect *pg.ConnectError
	switch {
	case s.catalog.Load() == nil && (errors.As(err, &invalid) || errors.As(err, &connect) && connect.BadPassword()):
	case s.current.Load().config.DisablePoolRecovery && lost(err):
		err = fmt.Errorf("the database is lost, and db-pool-automatic-recovery is off: %w", err)
	default:
		return false
	}
	s.fatal <- err // Run takes it: only the first one gets here
	return true
}
