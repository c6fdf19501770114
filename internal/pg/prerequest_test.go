package pg_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// The snapshot is that of the call, which has not seen what is committed before the statement that follows it.
func TestPreRequestSaw(t *testing.T) {
	w := newWorld(t)
	pgtest.Exec(t, w.super, "create function public.pre() returns void language plpgsql as $$ begin perform set_config('app.pre', 'called', true); end $$")
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	var before pg.Snapshot
	tx := as(w.ann)
	tx.PreRequest, tx.PreRequestSaw = "public.pre", &before
	for range 2 { // also prepared
		before = pg.Snapshot{}
		g := &got{}
		if err := db.Read(t.Context(), tx, []pg.Statement{statement("select current_setting('app.pre'), pg_current_snapshot()::text")}, g); err != nil {
			t.Fatal(err)
		}
		after, err := pg.ParseSnapshot(g.rows[0][1])
		if err != nil || g.rows[0][0] != "called" || before.Xmax == 0 || before.Xmax > after.Xmax {
			t.Errorf("%v: called with %+v, rows %v", err, before, g.rows)
		}
	}
}
