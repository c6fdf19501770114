package pgtest

import (
	"context"
	"sync"
	"time"
)

// sharedServer is the one that DATABASE_URL names.
type sharedServer struct {
	once sync.Once
	err  error
}

// tidy looks, once per test process, whether the server answers, and sweeps it.
func (s *sharedServer) tidy(dsn string) error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		s.err = sweepDatabases(ctx, dsn)
	})
	return s.err
}
