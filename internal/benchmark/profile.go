package main

import (
	"context"
	"fmt"
	"os"
)

// writeProfile loads the server with each scenario for the same time and writes one CPU profile of all of it. As
// cmd/slipstream/default.pgo it guides the compiler (https://go.dev/doc/pgo).
func (r *run) writeProfile(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		answer answer
		err    error
	}
	profile := make(chan outcome, 1)
	go func() {
		url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.server.admin, len(r.scenarios)*r.seconds)
		a, err := get(ctx, url, nil)
		profile <- outcome{a, err}
	}()
	for i, sc := range r.scenarios {
		keys, err := r.bed.keys(ctx, sc)
		if err != nil {
			return err
		}
		l, err := r.wrk.run(ctx, r.server, sc, keys, r.seconds, i)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Fprintf(r.progress, "%-24s %6.0f/s\n", sc.name, l.rate)
	}
	p := <-profile
	if p.err != nil {
		return fmt.Errorf("take a CPU profile: %w", p.err)
	}
	return os.WriteFile(r.profile, p.answer.body, 0o644)
}
