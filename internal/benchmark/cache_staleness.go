package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

const (
	commitRate = 400 // commits per second by others, meanwhile
	committers = 4
)

// staleness is how long after a commit past Slipstream the old row was still given, at most.
type staleness struct {
	p50, p99, most time.Duration
	samples        int
	commits        int // by others, per second
}

// staleness writes a row directly, while others write others, and reads it through the cache until the new value is there.
func (r *cacheRun) staleness(ctx context.Context) (late staleness, err error) {
	writing, stop := context.WithCancel(ctx)
	type end struct {
		commits int
		err     error
	}
	ended := make(chan end)
	for i := range committers {
		go func() {
			n, err := r.commit(writing, r.rows.low+100*(i+1))
			ended <- end{n, err}
		}()
	}
	began := time.Now()
	took, err := r.samples(ctx, r.rows.low, time.Duration(r.rounds*r.seconds)*time.Second)
	spent := time.Since(began)
	stop()
	commits := 0
	for range committers {
		e := <-ended
		commits += e.commits
		if err == nil {
			err = e.err
		}
	}
	if err != nil {
		return late, err
	}
	slices.Sort(took)
	late = staleness{
		p50: took[len(took)/2], p99: took[len(took)*99/100], most: took[len(took)-1],
		samples: len(took), commits: int(float64(commits) / spent.Seconds()),
	}
	fmt.Fprintf(r.progress, "staleness: p50 %s, p99 %s, at most %s in %d samples beside %d commits/s\n",
		late.p50, late.p99, late.most, late.samples, late.commits)
	return late, nil
}

// commit updates rows, one after the other at its part of the rate, until ctx ends.
func (r *cacheRun) commit(ctx context.Context, first int) (n int, err error) {
	conn, err := pg.Connect(ctx, r.bed.dsn)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tick := time.NewTicker(time.Second * committers / commitRate)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return n, nil
		case <-tick.C:
		}
		// Without ctx: what is under way at the end is no failure.
		_, err := conn.Exec(context.WithoutCancel(ctx), "update shop.bench_key set n = n + 1 where id = $1", first+n%100)
		if err != nil {
			return n, err
		}
		n++
	}
}

// samples measures for some time how long after its commit a change of a row is seen.
func (r *cacheRun) samples(ctx context.Context, row int, most time.Duration) (took []time.Duration, err error) {
	conn, err := pg.Connect(ctx, r.bed.dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	url := "http://" + r.ours.host + "/bench_key?select=n&id=eq." + strconv.Itoa(row)
	for end := time.Now().Add(most); len(took) == 0 || time.Now().Before(end); {
		if err := awaitHit(ctx, url); err != nil {
			return nil, err
		}
		var n int
		err := conn.QueryRow(ctx, "update shop.bench_key set n = n + 1 where id = $1 returning n", row).Scan(&n)
		if err != nil {
			return nil, err
		}
		committed := time.Now()
		late, err := seen(ctx, url, fmt.Sprintf(`[{"n":%d}]`, n), committed)
		if err != nil {
			return nil, err
		}
		took = append(took, late)
	}
	return took, nil
}

// awaitHit asks until the row comes from the cache.
func awaitHit(ctx context.Context, url string) error {
	for tries := range 1000 {
		a, err := get(ctx, url, nil)
		if err != nil {
			return err
		}
		if strings.HasSuffix(a.header.Get("Cache-Status"), "; hit") {
			return nil
		}
		if tries > 10 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return fmt.Errorf("%s is never kept", url)
}

// seen returns when the last request was sent that was answered with an older row, counted from the commit; 0 if none was.
func seen(ctx context.Context, url, want string, committed time.Time) (late time.Duration, err error) {
	for {
		asked := time.Since(committed)
		a, err := get(ctx, url, nil)
		if err != nil || string(a.body) == want {
			return late, err
		}
		if late = asked; late > time.Minute {
			return late, fmt.Errorf("%s stays %s, not %s", url, a.body, want)
		}
	}
}
