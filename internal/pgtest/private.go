package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
)

// dirPattern names the directories of private servers, under the system's
// directory for temporary files.
const dirPattern = "slipstream-test-*"

// settled is the age from which a directory is never one being made now.
const settled = time.Minute

// lazyServer starts a private server when first asked.
type lazyServer struct {
	mu      sync.Mutex
	asked   bool
	dir     string
	cluster *devdb.Cluster
	err     error
}

func (s *lazyServer) get() (*devdb.Cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.asked = true
		s.cluster, s.err = s.start()
	}
	return s.cluster, s.err
}

func (s *lazyServer) start() (*devdb.Cluster, error) {
	sweepServers()
	dir, err := makeDir()
	if err != nil {
		return nil, err
	}
	s.dir = dir
	return startCluster(dir, nil)
}

// makeDir makes a directory for a private server. The server may run as
// another system user, who has to pass through. Data and socket inside are
// closed to all others.
func makeDir() (string, error) {
	dir, err := os.MkdirTemp("", dirPattern)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// startCluster starts a private server; with a primary, as its standby.
func startCluster(dir string, primary *devdb.Cluster) (*devdb.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return devdb.Start(ctx, devdb.Options{
		Dir:     dir,
		Primary: primary,
		Logger:  slog.New(slog.DiscardHandler),
		Settings: map[string]string{
			// Nobody misses this data after a crash.
			"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
			"shared_buffers": "64MB", "max_connections": "200", "max_prepared_transactions": "10",
		},
	})
}

// stop ends the server, if any was started, and deletes its directory.
func (s *lazyServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster != nil {
		if err := s.cluster.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
	}
	if s.dir != "" {
		remove(s.dir)
	}
}

// sweepServers removes what test processes that were killed left behind.
func sweepServers() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPattern)) // errs on a malformed pattern only
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > settled {
			remove(dir)
		}
	}
}

// remove deletes a server's directory unless its owner lives. What remains is
// the next sweep's.
func remove(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := devdb.Remove(ctx, dir, slog.New(slog.DiscardHandler))
	if err != nil && !errors.Is(err, devdb.ErrInUse) && !errors.Is(err, fs.ErrPermission) {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
	}
}
