package pg_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// BenchmarkRead is a point read as the data API does it, with everything that a request sets.
func BenchmarkRead(b *testing.B) {
	w := newWorld(b)
	read := pointRead(b, w, run(b, pg.Options{DSN: w.dsn, MaxConns: 2}), true)
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}

// BenchmarkReadParallel is as many of them as there are connections.
func BenchmarkReadParallel(b *testing.B) {
	w := newWorld(b)
	db := run(b, pg.Options{DSN: w.dsn, MaxConns: 16})
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(p *testing.PB) {
		read := pointRead(b, w, db, true)
		for p.Next() {
			read()
		}
	})
}

// BenchmarkReadCrowd is 64 readers for each processor over four connections, each with one of its own and sharing them.
func BenchmarkReadCrowd(b *testing.B) {
	for _, sharing := range []bool{false, true} {
		b.Run(fmt.Sprintf("sharing=%v", sharing), func(b *testing.B) {
			w := newWorld(b)
			db := run(b, pg.Options{DSN: w.dsn, MaxConns: 4})
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(p *testing.PB) {
				read := pointRead(b, w, db, sharing)
				for p.Next() {
					read()
				}
			})
		})
	}
}

func TestAReadAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	w := newWorld(t)
	read := pointRead(t, w, run(t, pg.Options{DSN: w.dsn, MaxConns: 1}), true)
	read()
	if n := testing.AllocsPerRun(200, read); n > 8 {
		t.Errorf("%v allocations", n)
	}
}

// pointRead reads one row in the context of a request of its own.
func pointRead(t testing.TB, w world, db *pg.DB, shares bool) func() {
	tx := as(w.ann, requestSettings()...)
	statements := []pg.Statement{statement(
		"select null, count(*), coalesce(json_agg(r), '[]') from (select id, name from item where id = $1::int) r", "7")}
	if shares {
		statements[0].Pace = new(pg.Pace)
	}
	s := &sum{}
	return func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := db.Read(ctx, tx, statements, s); err != nil {
			t.Fatal(err)
		}
	}
}

// requestSettings are of the size that a browser's request with a token gives.
func requestSettings() []pg.Setting {
	return []pg.Setting{
		{Name: "request.jwt.claims", Value: `{"role":"customer","sub":"8f14e45f-ceea-467f-a9d1-3b5b1f1f7f0c","exp":1790000000,"aud":"shop"}`},
		{Name: "request.method", Value: "GET"},
		{Name: "request.path", Value: "/item"},
		{Name: "request.headers", Value: `{"host":"api.example.com","accept":"application/json","accept-encoding":"gzip, deflate, br",` +
			`"user-agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",` +
			`"authorization":"Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiY3VzdG9tZXIifQ.c2lnbmF0dXJl","x-client-info":"supabase-js/2.57"}`},
		{Name: "request.cookies", Value: "{}"},
	}
}
