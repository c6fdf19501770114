package pg_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// guardSQL notes who does what: the statements of a guard, the caller's, and the triggers that wait for COMMIT.
const guardSQL = `
	create table note (n serial, who text default current_user, what text);
	create function before(what text) returns void language plpgsql as $$ begin
		if what = 'refuse' then raise exception using errcode = 'SI409', message = 'm'; end if;
		insert into note (what) values (what); end $$;
	create function after(what text) returns void language plpgsql as $$ begin
		if what = 'refuse' then raise exception using errcode = 'SI422', message = 'm'; end if;
		insert into note (what) values (what); end $$;
	create function late() returns trigger language plpgsql as $$ begin
		if new.id = 5009 then raise exception using errcode = 'SI001', message = 'm'; end if;
		insert into note (what) values ('trigger ' || new.id); return new; end $$;
	create constraint trigger late after insert on item deferrable initially deferred for each row execute function late();
	grant insert on note to public; grant usage on sequence note_n_seq to public;
	revoke execute on function before(text), after(text) from public;`

func guardWorld(t *testing.T) world {
	w := newWorld(t, guardSQL)
	pgtest.Exec(t, w.super, "grant execute on function before(text), after(text) to "+w.login)
	return w
}

// guarded is a transaction with a guard, and the decision that fills in its end.
func guarded(w world, before, after string) (*pg.Tx, pg.Decide) {
	tx := writer(w.ann)
	tx.Guard = &pg.Guard{Before: statement("select public.before($1)", before)}
	return tx, func() (bool, error) {
		tx.Guard.After = statement("select public.after($1)", after)
		return true, nil
	}
}

func notes(t *testing.T, w world) string {
	got := pgtest.Value(t, w.super, "select string_agg(who || ' ' || split_part(what, ' ', 1), ', ' order by n) from note")
	return strings.NewReplacer(w.login, "login", w.ann, "ann").Replace(got)
}

// A guard's statements have the rights of the login role, everything else those of the caller, and all of it takes two
// round trips.
func TestGuard(t *testing.T) {
	for name, c := range map[string]struct {
		isolation  string
		unprepared bool
	}{"plain": {}, "serializable": {isolation: "serializable"}, "unprepared": {unprepared: true}} {
		t.Run(name, func(t *testing.T) {
			w := guardWorld(t)
			p, dsn := newProxy(t, w.dsn)
			db := run(t, pg.Options{DSN: dsn, MaxConns: 1, Unprepared: c.unprepared})
			for i, id := range []string{"5001", "5002", "5003"} {
				p.take()
				tx, decide := guarded(w, "before", "after "+strings.Repeat("x", i*40<<10))
				tx.Isolation = c.isolation
				if err := db.Write(t.Context(), tx, []pg.Statement{insert(id)}, &got{}, decide); err != nil {
					t.Fatal(err)
				}
				if seen := p.take(); i > 0 && i < 2 && seen.trips != 2 {
					t.Errorf("%d round trips: %v", seen.trips, seen.messages)
				}
				if got := notes(t, w); got != "login before, login after, ann trigger" {
					t.Error(got)
				}
				pgtest.Exec(t, w.super, "delete from note")
			}
			if got := value(t, db, as(w.bert), "select current_user"); got != w.bert {
				t.Errorf("the next is %s", got)
			}
		})
	}
}

func TestAGuardThatFails(t *testing.T) {
	w := guardWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	for name, c := range map[string]struct {
		before, after, id string
		guard, code       string // of a GuardError, of another error
		asked             bool
	}{
		"before":           {"refuse", "", "5001", "SI409", "", false},
		"after":            {"", "refuse", "5001", "SI422", "", true},
		"not the guard":    {"", "x", "1", "", "23505", false},
		"not it at COMMIT": {"", "x", "5009", "", "SI001", true},
	} {
		t.Run(name, func(t *testing.T) {
			tx, fill := guarded(w, c.before, c.after)
			asked := false
			decide := func() (bool, error) {
				asked = true
				return fill()
			}
			g := &got{}
			err := db.Write(t.Context(), tx, []pg.Statement{insert(c.id)}, g, decide)
			var guard *pg.GuardError
			if errors.As(err, &guard) {
				if guard.Err.Code != c.guard {
					t.Error(err)
				}
			} else if c.guard != "" || code(err) != c.code {
				t.Error(err)
			}
			if asked != c.asked || c.before == "refuse" && len(g.columns) > 0 {
				t.Errorf("asked: %t, got %v", asked, g.columns)
			}
			if rows, n := written(t, w), notes(t, w); rows != "" || n != "" {
				t.Errorf("it leaves %s and %s", rows, n)
			}
		})
	}
	if s := db.Stats(); s.Total != 1 {
		t.Errorf("%+v", s)
	}
}

// What is not committed has no end that could be stored.
func TestAGuardOfAWriteThatIsNotCommitted(t *testing.T) {
	w := guardWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	tx, fill := guarded(w, "before", "after")
	no := func() (bool, error) {
		_, _ = fill()
		return false, nil
	}
	if err := db.Write(t.Context(), tx, []pg.Statement{insert("5001")}, &got{}, no); err != nil {
		t.Error(err)
	}
	if rows, n := written(t, w), notes(t, w); rows != "" || n != "" {
		t.Errorf("it leaves %s and %s", rows, n)
	}
}

func TestALostGuardedCommitIsDoneAnew(t *testing.T) {
	w := guardWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	tx, fill := guarded(w, "before", "after")
	asked := 0
	cut := func() (bool, error) {
		if asked++; asked == 1 {
			p.cut()
		}
		return fill()
	}
	if err := db.Write(t.Context(), tx, []pg.Statement{insert("5001")}, &got{}, cut); err != nil || asked != 2 {
		t.Errorf("got %v, asked %d times", err, asked)
	}
	if rows, n := written(t, w), notes(t, w); rows != "5001" || n != "login before, login after, ann trigger" {
		t.Errorf("it leaves %s and %s", rows, n)
	}
}
