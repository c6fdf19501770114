package devdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Lines of postmaster.pid, counted from 0.
const (
	pidLine       = 0
	socketDirLine = 4
	statusLine    = 7
)

// readPidFile reads the postmaster's process id and status ("starting",
// "ready", "stopping"); 0 where there is none.
func readPidFile(path string) (pid int, status string) {
	lines := pidFileLines(path)
	if len(lines) > pidLine {
		pid, _ = strconv.Atoi(strings.TrimSpace(lines[pidLine])) // 0 while it is being written
	}
	if len(lines) > statusLine {
		status = strings.TrimSpace(lines[statusLine])
	}
	return pid, status
}

func pidFileLines(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}

// evict stops the server that an owner now gone left behind, and clears its
// traces. The caller holds the directory's lock.
func evict(ctx context.Context, p place, logger *slog.Logger) error {
	lines := pidFileLines(p.pidFile())
	pid, _ := readPidFile(p.pidFile())
	if pid <= 0 {
		return nil
	}
	if isPostmaster(pid, p.dataDir()) {
		logger.Info("stopping the PostgreSQL server that an earlier run left behind", "pid", pid)
		if err := evictProcess(ctx, pid, p.dataDir()); err != nil {
			return fmt.Errorf("stop the server left behind (process %d): %w", pid, err)
		}
	}
	if len(lines) > socketDirLine {
		p.removeStraySocketDir(strings.TrimSpace(lines[socketDirLine]))
	}
	// The number in a stale file may by now be another program's, whom the new
	// server would take for its predecessor. Its shared memory still keeps it
	// from running next to children of the old one.
	if err := os.Remove(p.pidFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

func evictProcess(ctx context.Context, pid int, dataDir string) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		defer close(gone)
		for watch.Err() == nil && isPostmaster(pid, dataDir) {
			pause(watch, 20*time.Millisecond)
		}
	}()
	return terminate(ctx, process, gone)
}

// isPostmaster tells whether the process lives and is a server of this data
// directory, rather than one that got the same number later.
func isPostmaster(pid int, dataDir string) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	return strings.Contains(commandLine(pid), " -D "+dataDir+" ")
}

// removeStraySocketDir deletes a socket directory that makeSocketDir made
// outside the cluster's own.
func (p place) removeStraySocketDir(dir string) {
	if filepath.Dir(dir) == filepath.Clean(os.TempDir()) && strings.HasPrefix(filepath.Base(dir), "slipstream-") {
		p.removeSocketDir(dir)
	}
}
