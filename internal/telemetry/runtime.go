package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// SetMemoryLimit sets the Go runtime's soft memory limit to 90 % of what the cgroup of
// this process allows, and returns the limit in bytes. Without a cgroup limit, or where
// GOMEMLIMIT is set, the limit stays what it was. It acts on the whole process.
func SetMemoryLimit(ctx context.Context, log *slog.Logger) (int64, error) {
	if _, err := memlimit.FromCgroup(); unlimited(err) {
		return debug.SetMemoryLimit(-1), nil
	}
	limit, err := memlimit.Set(memlimit.WithRatio(0.9))
	if err != nil {
		return limit, fmt.Errorf("set memory limit from cgroup: %w", err)
	}
	log.DebugContext(ctx, "memory limit", slog.Int64("bytes", limit))
	return limit, nil
}

func unlimited(err error) bool {
	return errors.Is(err, memlimit.ErrNoLimit) || errors.Is(err, memlimit.ErrNoCgroup) ||
		errors.Is(err, memlimit.ErrCgroupsNotSupported)
}

// ProfileHandler serves /debug/pprof/ (package net/http/pprof) without the default mux.
func ProfileHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
