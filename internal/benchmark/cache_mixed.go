package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
)

//go:embed mixed.lua
var mixedScript []byte

// writeShare is the part of requests that writes.
const writeShare = 0.05

// mix is what was measured of reads and writes together.
type mix struct {
	with, without load    // the cache
	hits          float64 // of all reads, with it
}

// mix measures reads of single rows, some of them much more often than others, while rows are written.
func (r *cacheRun) mix(ctx context.Context) (m mix, err error) {
	if err := os.WriteFile(r.wrk.file("mixed.lua"), mixedScript, 0o600); err != nil {
		return m, err
	}
	if err := r.readAll(ctx, r.ours, r.rows); err != nil {
		return m, err
	}
	if m.with, m.hits, err = r.mixed(ctx, r.ours); err != nil {
		return m, err
	}
	m.without, _, err = r.mixed(ctx, r.plain)
	fmt.Fprintf(r.progress, "mixed 95/5: %.0f/s with the cache, %.1f %% hits; %.0f/s without\n", m.with.rate, 100*m.hits, m.without.rate)
	return m, err
}

// readAll asks for every row once, so that what is measured is not how the cache fills.
func (r *cacheRun) readAll(ctx context.Context, s *server, keys keyRange) error {
	const readers = 8
	var all sync.WaitGroup
	errs := make(chan error, readers)
	for i := range readers {
		all.Go(func() {
			for key := keys.low + i; key <= keys.high; key += readers {
				if _, err := get(ctx, "http://"+s.host+"/bench_key?select=id,n,note&id=eq."+strconv.Itoa(key), nil); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

var wrkHits = regexp.MustCompile(`(?m)^hits ([0-9]+) of ([0-9]+)$`)

func (r *cacheRun) mixed(ctx context.Context, s *server) (l load, share float64, err error) {
	out, err := command(ctx, r.wrk.program, "-t1", "-c", strconv.Itoa(r.wrk.clients), "-d", strconv.Itoa(r.rounds*r.seconds)+"s",
		"--timeout", "10s", "--latency", "-s", r.wrk.file("mixed.lua"), "http://"+s.host, "--",
		"1", strconv.Itoa(r.rows.low), strconv.Itoa(r.rows.high), fmt.Sprint(writeShare))
	if err != nil {
		return l, 0, fmt.Errorf("run wrk: %w", err)
	}
	if l, err = parseLoad(out); err != nil {
		return l, 0, err
	}
	counts := wrkHits.FindStringSubmatch(out)
	if counts == nil {
		return l, 0, fmt.Errorf("wrk counted no hits:\n%s", out)
	}
	hits, err := strconv.ParseFloat(counts[1], 64)
	if err != nil {
		return l, 0, err
	}
	reads, err := strconv.ParseFloat(counts[2], 64)
	return l, hits / max(reads, 1), err
}
