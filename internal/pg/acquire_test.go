package pg_test

import (
	"errors"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/limit"
)

// A server that can do nothing of what it is asked for is asked for less, and a caller's own mistakes are no reason for that.
func TestAServerThatFailsIsSpared(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Classes: []limit.Class{{Name: "all", Share: 1}}})
	ask := func(code string) (refused int) {
		const raise = "do $$ begin raise exception using errcode = '"
		for range 200 {
			var answered *pg.Error
			switch _, err := tryRead(t.Context(), db, as(w.ann), raise+code+"'; end $$"); {
			case errors.Is(err, pg.ErrThrottled):
				refused++
			case !errors.As(err, &answered) || answered.Code != code:
				t.Fatal(err)
			}
		}
		return refused
	}
	for _, code := range []string{"22012", "23505", "42P01", "P0001", "57014", "40001"} {
		if n := ask(code); n > 0 {
			t.Errorf("%s: %d requests were refused", code, n)
		}
	}
	for range 8 { // as many as before, in case that those are ten seconds ago
		if ask("53100") > 0 {
			return
		}
	}
	t.Error("no request was refused")
}
