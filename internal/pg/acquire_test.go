package pg_test

import (
	"errors"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/limit"
)

// A server that can do nothing of what it is asked for is asked for less. A caller's own mistakes are no reason for that, nor is
// what functions raise, whatever they call it.
func TestAServerThatFailsIsSpared(t *testing.T) {
	w := newWorld(t)
	const permits = 3
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: permits, Classes: []limit.Class{{Name: "all", Share: 1}}})
	ask := func(sql, code string) (refused int) {
		for range 200 {
			var answered *pg.Error
			switch _, err := tryRead(t.Context(), db, as(w.ann), sql); {
			case errors.Is(err, pg.ErrThrottled):
				refused++
			case !errors.As(err, &answered) || answered.Code != code:
				t.Fatal(err)
			}
		}
		return refused
	}
	raised := []string{"22012", "23505", "42P01", "P0001", "57014", "40001", "53100", "53200", "53300", "58030", "XX000"}
	for _, code := range raised {
		if n := ask("do $$ begin raise exception using errcode = '"+code+"'; end $$", code); n > 0 {
			t.Errorf("%s: %d requests were refused", code, n)
		}
	}
	if c := db.Limiter().Stats().Classes[0]; c.Limit != permits {
		t.Errorf("the limit is %d", c.Limit)
	}
	pgtest.Exec(t, w.super, "grant execute on function pg_catalog.pg_read_file(text) to public")
	for range 2 * len(raised) { // as many as before, in case that those are ten seconds ago
		if ask("select pg_read_file('nothing')", "58P01") > 0 {
			return
		}
	}
	t.Error("no request was refused")
}
