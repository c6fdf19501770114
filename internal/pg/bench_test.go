package pg_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// BenchmarkRead is a point read as the data API does it, with everything that
// a request sets, over one connection of a real server.
func BenchmarkRead(b *testing.B) {
	role := pgtest.Role(b, "nologin")
	dsn := pgtest.Database(b)
	pgtest.Exec(b, dsn,
		"create table item (id int primary key, name text)",
		"insert into item select i, 'item ' || i from generate_series(1, 1000) i",
		"grant select on item to "+role)
	db := run(b, pg.Options{DSN: dsn, MaxConns: 2})
	tx := &pg.Tx{Role: role, SearchPath: `"public", "extensions"`, Settings: requestSettings()}
	read := func(ctx context.Context, id string) error {
		var got discard
		statements := []pg.Statement{{
			SQL:     "select null, count(*), coalesce(json_agg(r), '[]') from (select id, name from item where id = $1::int) r",
			Args:    [][]byte{[]byte(id)},
			Formats: nil,
		}}
		return db.Read(ctx, tx, statements, &got)
	}
	for _, c := range []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
	}{
		{"request context", func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				ctx, cancel := c.ctx()
				if err := read(ctx, fmt.Sprint(i%1000)); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
		})
	}
}

// requestSettings are of the size that a browser's request with a token gives.
func requestSettings() []pg.Setting {
	return []pg.Setting{
		{Name: "request.jwt.claims", Value: `{"role":"customer","sub":"8f14e45f-ceea-467f-a9d1-3b5b1f1f7f0c","exp":1790000000,"aud":"shop"}`},
		{Name: "request.method", Value: "GET"},
		{Name: "request.path", Value: "/item"},
		{Name: "request.headers", Value: `{"host":"api.example.com","accept":"application/json","accept-encoding":"gzip, deflate, br","user-agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36","authorization":"Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiY3VzdG9tZXIifQ.c2lnbmF0dXJl","x-client-info":"supabase-js/2.57"}`},
		{Name: "request.cookies", Value: "{}"},
	}
}

type discard struct{ rows int }

func (d *discard) Columns(int, []string) error { return nil }

func (d *discard) Restart() bool { return true }

func (d *discard) Row(int, [][]byte) error {
	d.rows++
	return nil
}
