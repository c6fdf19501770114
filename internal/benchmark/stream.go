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

const gigabyte = 1_000_000_000

// streamSchema holds the view that is streamed; it is exposed for that alone.
const streamSchema = "bench"

// streamed is what was seen of one stream.
type streamed struct {
	mediaType    string
	bytes, rows  int64
	took         time.Duration
	before, most int64 // resident memory of the server in bytes
}

func (s streamed) growth() int64 { return s.most - s.before }

// measureStreams reads at least size bytes in each of the formats that are streamed.
func measureStreams(ctx context.Context, o options, b *bed, size int64, progress io.Writer) (report, error) {
	rows, err := makeStreamView(ctx, b, size)
	if err != nil {
		return report{}, fmt.Errorf("make a large view: %w", err)
	}
	var all []streamed
	for _, mediaType := range []string{"application/x-ndjson", "text/csv"} {
		s, err := stream(ctx, o.program, b, mediaType)
		if err != nil {
			return report{}, fmt.Errorf("stream %s: %w", mediaType, err)
		}
		if s.rows != rows {
			return report{}, fmt.Errorf("stream %s: %d lines for %d rows", mediaType, s.rows, rows)
		}
		fmt.Fprintf(progress, "%-20s %s MB in %.1f s, memory grew by %s MB\n", mediaType, megabytes(s.bytes), s.took.Seconds(), megabytes(s.growth()))
		all = append(all, s)
	}
	return streamsReport(all), nil
}

// makeStreamView repeats the catalogue until it is of the size, in bytes of CSV, and gives the number of rows. Nothing
// is stored.
func makeStreamView(ctx context.Context, b *bed, size int64) (rows int64, err error) {
	const columns = "p.id, p.sku, p.name, p.description, p.price, p.stock, p.created_at"
	var once, products int64
	err = b.query(ctx, "select sum(octet_length(q::text)), count(*) from (select "+columns+" from shop.products p) q", nil, &once, &products)
	if err != nil {
		return 0, err
	}
	times := size/once + 1
	return times * products, pg.ExecScript(ctx, b.dsn, fmt.Sprintf(`
		create schema if not exists %[1]s;
		create or replace view %[1]s.catalogue as
			select %[2]s, n as copy from shop.products p cross join generate_series(1, %[3]d) as n;
		grant usage on schema %[1]s to %[4]s;
		grant select on %[1]s.catalogue to %[4]s`, streamSchema, columns, times, shop.AnonRole))
}

// stream reads the view from a server of its own, so that what another stream left does not count.
func stream(ctx context.Context, program string, b *bed, mediaType string) (_ streamed, err error) {
	s := streamed{mediaType: mediaType}
	server, err := startServer(ctx, program, b, streamSchema)
	if err != nil {
		return s, err
	}
	defer server.stop()
	if s.before, err = server.rss(); err != nil {
		return s, err
	}
	watched := make(chan int64, 1)
	watching, stop := context.WithCancel(ctx)
	go func() { watched <- server.watchRSS(watching) }()
	start := time.Now()
	err = s.read(ctx, "http://"+server.host+"/catalogue")
	s.took = time.Since(start)
	stop()
	s.most = max(<-watched, s.before)
	return s, err
}

// watchRSS gives the most that it saw until ctx was done.
func (s *server) watchRSS(ctx context.Context) (most int64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if rss, err := s.rss(); err == nil {
			most = max(most, rss)
		}
		select {
		case <-ctx.Done():
			return most
		case <-tick.C:
		}
	}
}

// read counts bytes and lines of an answer and forgets them.
func (s *streamed) read(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", s.mediaType)
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.Join(errors.New(resp.Status), resp.Body.Close())
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buf)
		s.bytes += int64(n)
		s.rows += int64(bytes.Count(buf[:n], []byte{'\n'})) // CSV has one line more, and no end of the last
		if errors.Is(err, io.EOF) {
			return resp.Body.Close()
		}
		if err != nil {
			return errors.Join(err, resp.Body.Close())
		}
	}
}

func streamsReport(all []streamed) report {
	rows := [][]string{{"format", "MB", "rows", "seconds", "MB/s", "RSS before MB", "peak MB", "growth MB"}}
	var targets []target
	for _, s := range all {
		rows = append(rows, []string{
			s.mediaType, megabytes(s.bytes), thousands(float64(s.rows)), fixed(s.took.Seconds(), 1),
			fixed(float64(s.bytes)/1e6/s.took.Seconds(), 1), megabytes(s.before), megabytes(s.most), megabytes(s.growth()),
		})
		targets = append(targets, target{
			fmt.Sprintf("%s: growth < %.0f MB", s.mediaType, mostGrowth/1e6), megabytes(s.growth()) + " MB", s.growth() < mostGrowth,
		})
	}
	verdicts, reached := targetsTable(targets)
	return report{section: "streams", text: table(rows) + "\n" + verdicts, reached: reached}
}
