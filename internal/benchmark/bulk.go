package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// bulkRows is how many rows each insert has.
const bulkRows = 100_000

// bulkSQL makes the table that they go to.
const bulkSQL = `
	drop table if exists shop.bench_bulk;
	create table shop.bench_bulk (id bigint primary key, name text not null, price numeric(12,2), at timestamptz, ok boolean, note text);
	grant insert, select on shop.bench_bulk to ` + shop.AnonRole

// bulkSide is one way to insert the rows: a request, or COPY where there is no server.
type bulkSide struct {
	name, contentType, prefer string
	body                      []byte
	server                    *server
	before, first             int64 // resident memory of the server in bytes: at its start, and at most with one request
	runs                      []bulkRun
}

// bulkRun is what one insert took.
type bulkRun struct{ took, server, database time.Duration }

// bulkBodies are the same rows twice.
func bulkBodies(n int) (document, csv []byte) {
	var j, c bytes.Buffer
	c.WriteString("id,name,price,at,ok,note\n")
	for i := range n {
		price, at := fmt.Sprintf("%d.25", i%1000), fmt.Sprintf("2026-01-%02dT12:%02d:%02dZ", i%28+1, i%60, i/60%60)
		fmt.Fprintf(&j, `%c{"id":%d,"name":"item number %d","price":%s,"at":"%s","ok":%t,"note":"some more text that is a bit longer"}`,
			"[,"[min(i, 1)], i, i, price, at, i%2 == 0)
		fmt.Fprintf(&c, "%d,item number %d,%s,%s,%t,some more text that is a bit longer\n", i, i, price, at, i%2 == 0)
	}
	j.WriteByte(']')
	return j.Bytes(), c.Bytes()
}

// measureBulk lets the sides take turns. Each has a server of its own, so that what another side left in its memory
// does not count.
func measureBulk(ctx context.Context, o options, b *bed, n int, progress io.Writer) (report, error) {
	if err := pg.ExecScript(ctx, b.dsn, bulkSQL); err != nil {
		return report{}, err
	}
	document, csv := bulkBodies(n)
	sides := []*bulkSide{
		{name: "COPY, CSV", body: csv},
		{name: "JSON", contentType: "application/json", prefer: "return=minimal", body: document},
		{name: "JSON, rows returned", contentType: "application/json", prefer: "return=representation", body: document},
		{name: "CSV", contentType: "text/csv", prefer: "return=minimal", body: csv},
		{name: "CSV, rows returned", contentType: "text/csv", prefer: "return=representation", body: csv},
	}
	for _, s := range sides[1:] {
		var err error
		if s.server, err = startServer(ctx, o.program, b, shop.Schema); err != nil {
			return report{}, err
		}
		defer s.server.stop()
		if s.before, err = s.server.rss(); err != nil {
			return report{}, err
		}
	}
	for round := range o.rounds + 1 { // the first is to warm up
		for _, s := range sides {
			r, err := s.run(ctx, b, n)
			if err != nil {
				return report{}, fmt.Errorf("%s: %w", s.name, err)
			}
			if round == 0 && s.server != nil {
				if s.first, err = s.server.peakRSS(); err != nil {
					return report{}, err
				}
			}
			if round > 0 {
				fmt.Fprintf(progress, "round %d of %d: %-20s %.3f s\n", round, o.rounds, s.name, r.took.Seconds())
				s.runs = append(s.runs, r)
			}
		}
	}
	return bulkReport(o, sides, n)
}

// run inserts the rows into the empty table, and counts them.
func (s *bulkSide) run(ctx context.Context, b *bed, n int) (r bulkRun, err error) {
	for _, sql := range []string{"truncate shop.bench_bulk", "checkpoint"} {
		if err := pg.ExecScript(ctx, b.dsn, sql); err != nil {
			return r, err
		}
	}
	insert, end, err := s.insertion(ctx, b)
	if err != nil {
		return r, err
	}
	defer end()
	database, err := b.backendsCPU(ctx)
	if err != nil {
		return r, err
	}
	server, start := s.cpu(), time.Now()
	if err := insert(); err != nil {
		return r, err
	}
	r.took, r.server = time.Since(start), s.cpu()-server
	after, err := b.backendsCPU(ctx)
	if err != nil {
		return r, err
	}
	r.database = after - database
	var got int
	if err := b.query(ctx, "select count(*) from shop.bench_bulk", nil, &got); err != nil {
		return r, err
	}
	if got != n {
		return r, fmt.Errorf("%d rows were written, not %d", got, n)
	}
	return r, nil
}

// insertion is what is measured. What it uses stays open until end, so that its processes can be asked for their times.
func (s *bulkSide) insertion(ctx context.Context, b *bed) (insert func() error, end func(), err error) {
	if s.server != nil {
		return func() error { return s.post(ctx) }, func() {}, nil
	}
	conn, err := pg.Connect(ctx, b.dsn)
	if err != nil {
		return nil, nil, err
	}
	insert = func() error {
		_, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(s.body), "copy shop.bench_bulk from stdin (format csv, header)")
		return err
	}
	return insert, func() { _ = conn.Close(context.WithoutCancel(ctx)) }, nil
}

// post sends the rows and forgets the answer as it comes.
func (s *bulkSide) post(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.server.host+"/bench_bulk", bytes.NewReader(s.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", s.contentType)
	req.Header.Set("Prefer", s.prefer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = errors.New(resp.Status)
	}
	return err
}

// cpu is the time of the server's process.
func (s *bulkSide) cpu() time.Duration {
	if s.server == nil {
		return 0
	}
	stat, err := s.server.proc("stat")
	if err != nil {
		return 0 // it has ended: the request that follows tells
	}
	d, _ := parseCPU(stat)
	return d
}

// backendsCPU is the time of all sessions of the database together.
func (b *bed) backendsCPU(ctx context.Context) (sum time.Duration, err error) {
	const sql = "select array_agg(pid) from pg_stat_activity " +
		"where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
	var pids []int
	if err := b.query(ctx, sql, nil, &pids); err != nil {
		return 0, err
	}
	for _, pid := range pids {
		stat, err := procFile(pid, "stat")
		if err != nil {
			continue // a session that has ended since
		}
		cpu, err := parseCPU(stat)
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

func (s *bulkSide) median(of func(bulkRun) time.Duration) float64 {
	var seconds []float64
	for _, r := range s.runs {
		seconds = append(seconds, of(r).Seconds())
	}
	return median(seconds)
}

// mostBodies is how many times the body's size the server's memory may grow by, beside mostBulkGrowth bytes.
const (
	mostBodies     = 2
	mostBulkGrowth = 32e6
)

func bulkReport(o options, sides []*bulkSide, n int) (report, error) {
	rows := [][]string{{fmt.Sprintf("%s rows", thousands(float64(n))), "body MB", "seconds", "rows/s", "of COPY", "Slipstream CPU s", "PostgreSQL CPU s", "growth MB", "by body", "peak RSS MB"}}
	var targets []target
	took := func(r bulkRun) time.Duration { return r.took }
	reference := sides[0].median(took)
	for _, s := range sides {
		seconds := s.median(took)
		cpu, growth, ofBody, peak := "–", "–", "–", "–"
		if s.server != nil {
			most, err := s.server.peakRSS()
			if err != nil {
				return report{}, err
			}
			grown := s.first - s.before
			cpu = fixed(s.median(func(r bulkRun) time.Duration { return r.server }), 2)
			growth, ofBody, peak = megabytes(grown), fixed(float64(grown)/float64(len(s.body)), 1), megabytes(most)
			if s.prefer == "return=minimal" {
				limit := mostBodies*float64(len(s.body)) + mostBulkGrowth
				targets = append(targets, target{
					fmt.Sprintf("%s: growth < %d bodies and %.0f MB", s.name, mostBodies, mostBulkGrowth/1e6), megabytes(grown) + " MB", float64(grown) < limit,
				})
			}
		}
		rows = append(rows, []string{
			s.name, megabytes(int64(len(s.body))), fixed(seconds, 3), thousands(float64(n) / seconds), fixed(reference/seconds, 2), cpu,
			fixed(s.median(func(r bulkRun) time.Duration { return r.database }), 2), growth, ofBody, peak,
		})
	}
	verdicts, reached := targetsTable(targets)
	text := fmt.Sprintf("Medians of %d rounds.\n\n%s\n%s", o.rounds, table(rows), verdicts)
	return report{section: "bulk", text: text, reached: reached}, nil
}
