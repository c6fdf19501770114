package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// database is the name of the one that is measured on.
const database = "bench"

// bed is what a run is measured on: the sample shop in a private cluster.
type bed struct {
	cluster *devdb.Cluster
	dsn     string // the superuser's
	schema  *schema.Snapshot
}

// startCluster starts the private PostgreSQL in dir, with the settings that it has in `slipstream dev`.
func startCluster(ctx context.Context, dir string) (*devdb.Cluster, error) {
	return devdb.Start(ctx, devdb.Options{Dir: dir})
}

func stopCluster(ctx context.Context, c *devdb.Cluster) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return c.Stop(ctx)
}

// newBed loads the sample where it is not there from an earlier run.
func newBed(ctx context.Context, cluster *devdb.Cluster, scale float64, progress io.Writer) (*bed, error) {
	b := &bed{cluster: cluster, dsn: cluster.DSN(database)}
	if err := shop.CreateDatabase(ctx, cluster.DSN("postgres"), database); err != nil {
		return nil, err
	}
	last := ""
	err := shop.LoadScale(ctx, b.dsn, scale, func(done, total int64, step string) {
		if step != last {
			fmt.Fprintf(progress, "sample data %3d%%: %s\n", done*100/max(total, 1), step)
			last = step
		}
	})
	if err != nil {
		return nil, err
	}
	if err := pg.ExecScript(ctx, b.dsn, writeBedSQL); err != nil {
		return nil, err
	}
	// What the load left to write must not be written while something is measured.
	if err := pg.ExecScript(ctx, b.dsn, "checkpoint"); err != nil {
		return nil, err
	}
	b.schema, err = readSchema(ctx, b.dsn)
	return b, err
}

// query scans the only row of a query.
func (b *bed) query(ctx context.Context, sql string, args []any, into ...any) error {
	conn, err := pg.Connect(ctx, b.dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := conn.QueryRow(ctx, sql, args...).Scan(into...); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func (b *bed) keys(ctx context.Context, s scenario) (keyRange, error) {
	var r keyRange
	err := b.query(ctx, s.keys, nil, &r.low, &r.high)
	return r, err
}

// runsStatement tells whether sql is what a connection of the server ran last, as far as the database remembers it: it
// keeps the first 1,023 bytes (track_activity_query_size).
func (b *bed) runsStatement(ctx context.Context, sql string) (bool, error) {
	const look = "select exists (select from pg_stat_activity " +
		"where datname = current_database() and usename = $1 and left(query, 1000) = left($2, 1000))"
	var found bool
	err := b.query(ctx, look, []any{shop.AuthenticatorRole, sql}, &found)
	return found, err
}
