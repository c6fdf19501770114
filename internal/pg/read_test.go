package pg_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestAReadIsOneRoundTrip(t *testing.T) {
	w := newWorld(t, "create function pre() returns void language sql as ''")
	for name, c := range map[string]struct {
		tx         *pg.Tx
		unprepared bool
		begins     int
	}{
		"prepared":        {tx: as(w.ann)},
		"unprepared":      {tx: as(w.ann), unprepared: true},
		"pre-request":     {tx: &pg.Tx{Role: w.ann, SearchPath: "public", PreRequest: `"public"."pre"`}},
		"read-write":      {tx: &pg.Tx{Role: w.ann, SearchPath: "public", ReadWrite: true}},
		"repeatable read": {tx: &pg.Tx{Role: w.ann, SearchPath: "public", Isolation: "REPEATABLE READ"}, begins: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, dsn := newProxy(t, w.dsn)
			db := run(t, pg.Options{DSN: dsn, MaxConns: 1, Unprepared: c.unprepared})
			point := statement("select name from item where id = $1::int", "7")
			once := func() traffic {
				g := &got{}
				if err := db.Read(t.Context(), c.tx, []pg.Statement{point, statement("select 1"), point}, g); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([][]string{{"item 7"}, {"1"}, {"item 7"}}, g.rows); diff != "" {
					t.Error(diff)
				}
				return p.take()
			}
			first := once()
			if first.opened != 1 || first.count('S') != 1 {
				t.Errorf("the first read: %+v", first)
			}
			for range 3 {
				seen := once()
				if seen.opened != 0 || seen.cancels != 0 || seen.trips != 1 || seen.count('S') != 1 || seen.count('Q') != 0 {
					t.Errorf("not one round trip: %+v", seen)
				}
				if prepared := seen.count('P') == 0; prepared == c.unprepared {
					t.Errorf("statements are parsed: %v", seen.messages)
				}
			}
			begins := 0
			for _, m := range first.messages {
				lower := strings.ToLower(m)
				if strings.Contains(lower, "begin") || strings.Contains(lower, "commit") || strings.Contains(lower, "start transaction") {
					begins++
				}
			}
			if begins != 0 && c.begins == 0 || begins == 0 && c.begins != 0 {
				t.Errorf("transaction commands: %v", first.messages)
			}
		})
	}
}

// TestAnIdleConnectionIsNotPinged: pgxpool would after a second.
func TestAnIdleConnectionIsNotPinged(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	read(t, db, as(w.ann), "select 1")
	p.take()
	time.Sleep(1100 * time.Millisecond)
	read(t, db, as(w.ann), "select 1")
	if seen := p.take(); seen.trips != 1 {
		t.Errorf("%d round trips: %v", seen.trips, seen.messages)
	}
}

func TestTheLoginRoleNeedsNoRightsOfItsOwn(t *testing.T) {
	w := newWorld(t)
	for _, unprepared := range []bool{false, true} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Unprepared: unprepared})
		if got := value(t, db, as(w.ann), "select current_user || ' ' || session_user"); got != w.ann+" "+w.login {
			t.Error(got)
		}
		if _, err := tryRead(t.Context(), db, as(w.login), "select name from item where id = 1"); code(err) != "42501" {
			t.Errorf("the login role reads: %v", err)
		}
		if got := value(t, db, as(w.bert), "select name from item where id = 1"); got != "item 1" {
			t.Error(got)
		}
	}
}

// visible is all that a request can leave behind for the next one.
const visible = `select concat_ws('|', current_user, current_setting('search_path'), current_setting('request.jwt.claims', true),
	current_setting('request.method', true), current_setting('transaction_read_only'), current_setting('statement_timeout'),
	current_setting('transaction_isolation'), current_setting('app.flag', true), current_setting('work_mem'))`

// remember makes the custom settings of visible known to the session, which reports them as empty then.
const remember = `select set_config('request.jwt.claims', '', true), set_config('request.method', '', true), set_config('app.flag', '', true)`

func TestNothingOfARequestIsLeftForTheNext(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	rich := func() *pg.Tx {
		return &pg.Tx{
			Role: w.ann, SearchPath: `"pg_temp"`, Isolation: "serializable",
			RoleSettings: []pg.Setting{{Name: "statement_timeout", Value: "50s"}, {Name: "work_mem", Value: "7MB"}},
			Settings: []pg.Setting{
				{Name: "request.jwt.claims", Value: `{"sub":"ann"}`}, {Name: "request.method", Value: "GET"}, {Name: "app.flag", Value: "up"},
			},
		}
	}
	poor := &pg.Tx{Role: w.bert, SearchPath: "public", ReadWrite: true}
	read(t, db, poor, remember)
	clean := value(t, db, poor, visible)
	if !strings.HasPrefix(clean, w.bert+"|public|") {
		t.Fatal(clean)
	}
	backend := value(t, db, poor, "select pg_backend_pid()")
	boom := errors.New("enough")
	for name, use := range map[string]func(*pg.Tx) error{
		"success": func(tx *pg.Tx) error {
			seen := value(t, db, tx, visible)
			if want := w.ann + `|"pg_temp"|{"sub":"ann"}|GET|on|50s|`; !strings.HasPrefix(seen, want) || !strings.HasSuffix(seen, "|up|7MB") {
				t.Errorf("not in force: %s", seen)
			}
			return nil
		},
		"error": func(tx *pg.Tx) error {
			if _, err := tryRead(t.Context(), db, tx, "select 1/0"); code(err) != "22012" {
				return err
			}
			return nil
		},
		"syntax error": func(tx *pg.Tx) error {
			if _, err := tryRead(t.Context(), db, tx, "select from where"); code(err) != "42601" {
				return err
			}
			return nil
		},
		"error of the sink": func(tx *pg.Tx) error {
			g := &got{onRow: func() error { return boom }}
			err := db.Read(t.Context(), tx, []pg.Statement{statement("select generate_series(1, 100000000)")}, g)
			if !errors.Is(err, boom) {
				return err
			}
			return nil
		},
	} {
		for isolation, tx := range map[string]*pg.Tx{"implicit": rich(), "explicit": rich()} {
			if isolation == "implicit" {
				tx.Isolation = ""
			}
			if err := use(tx); err != nil {
				t.Errorf("%s, %s: %v", name, isolation, err)
			}
			if after := value(t, db, poor, visible); after != clean {
				t.Errorf("%s, %s: left behind: %s, want %s", name, isolation, after, clean)
			}
			if now := value(t, db, poor, "select pg_backend_pid()"); now != backend {
				t.Errorf("%s, %s: another connection", name, isolation)
				backend = now
			}
		}
	}
}

func TestReadOnlyIsEnforced(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn})
	const insert = "insert into item values (5000, 'new') returning id"
	tx := as(w.ann)
	if _, err := tryRead(t.Context(), db, tx, insert); code(err) != "25006" {
		t.Errorf("an insert in a read: %v", err)
	}
	_, err := tryRead(t.Context(), db, tx, "with w as (select set_config('transaction_read_only', 'off', true)) select * from w")
	if code(err) == "" {
		t.Error("read-only can be turned off")
	}
	tx.ReadWrite = true
	if got := value(t, db, tx, insert); got != "5000" {
		t.Error(got)
	}
	if got := value(t, db, as(w.ann), "select count(*) from item where id = 5000"); got != "1" {
		t.Errorf("%s rows: not committed", got)
	}
}

func TestIsolation(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn})
	for isolation, want := range map[string]string{
		"": "read committed", "read committed": "read committed",
		"repeatable read": "repeatable read", "Serializable": "serializable",
	} {
		tx := as(w.ann)
		tx.Isolation = isolation
		if got := value(t, db, tx, "select current_setting('transaction_isolation')"); got != want {
			t.Errorf("%q gives %q", isolation, got)
		}
	}
}

func TestStatementTimeoutOfTheSamePipelineApplies(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	tx := as(w.ann)
	tx.RoleSettings = []pg.Setting{{Name: "statement_timeout", Value: "20"}}
	for range 2 { // parsed, and prepared
		if _, err := tryRead(t.Context(), db, tx, "select pg_sleep(600)"); code(err) != "57014" {
			t.Errorf("not timed out: %v", err)
		}
	}
	read(t, db, as(w.ann), "select pg_sleep(0.05)")
}

func TestSettingsKeepTheirOrderAndText(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn})
	text := "it's \\ \"x\" 'ü' \n" + strings.Repeat("long ", 2000)
	tx := as(w.ann, pg.Setting{Name: "app.a", Value: "first"}, pg.Setting{Name: "app.empty", Value: ""},
		pg.Setting{Name: "app.a", Value: text})
	if got := value(t, db, tx, "select current_setting('app.a')"); got != text {
		t.Errorf("got %q", got)
	}
	if got := value(t, db, tx, "select current_setting('app.empty') || 'is not null'"); got != "is not null" {
		t.Error(got)
	}
	for _, name := range []string{`app.it's`, `app.back\slash`, `app.$1`, `app.x', 'y', true), pg_sleep(1) --`} {
		if _, err := tryRead(t.Context(), db, as(w.ann, pg.Setting{Name: name, Value: "x"}), "select 1"); err != nil && code(err) != "42602" && code(err) != "42704" {
			t.Errorf("setting %q: %v", name, err)
		}
	}
}

func TestEmptySettingsAreNotNull(t *testing.T) {
	for i, a := range (&pg.Tx{ReadWrite: true}).Arguments() {
		if a == nil {
			t.Errorf("argument %d is NULL", i)
		}
	}
}

func TestPreRequestRunsAsTheCallerBeforeTheStatement(t *testing.T) {
	w := newWorld(t, `create function pre() returns void language plpgsql as $$ begin
		if current_setting('app.stop', true) = 'yes' then raise sqlstate 'PT403' using message = 'no', detail = 'because', hint = 'ask'; end if;
		perform set_config('app.seen', current_user, true); end $$`)
	db := run(t, pg.Options{DSN: w.dsn})
	tx := as(w.ann)
	tx.PreRequest = `"public"."pre"`
	for range 2 {
		if got := value(t, db, tx, "select current_setting('app.seen')"); got != w.ann {
			t.Error(got)
		}
	}
	tx.Settings = []pg.Setting{{Name: "app.stop", Value: "yes"}}
	_, err := tryRead(t.Context(), db, tx, "select 1")
	var refused *pg.Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	want := pg.Error{Code: "PT403", Message: "no", Detail: "because", Hint: "ask", Routine: "exec_stmt_raise"}
	if diff := cmp.Diff(want, *refused); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(err.Error(), "no (SQLSTATE PT403)") {
		t.Error(err)
	}
}

func TestArgumentsAndColumns(t *testing.T) {
	w := newWorld(t)
	for _, unprepared := range []bool{false, true} {
		db := run(t, pg.Options{DSN: w.dsn, Unprepared: unprepared})
		for range 2 {
			g := &got{}
			err := db.Read(t.Context(), as(w.ann), []pg.Statement{
				{SQL: "select $1::text as a, $2::int as b, null::text as c", Args: [][]byte{nil, []byte("7")}},
				{SQL: "select id as x from item where false"},
				{SQL: "select $1::text, 258::int2", Args: [][]byte{{}}, Formats: []int16{0, 1}},
				{SQL: ""},
			}, g)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{{"a", "b", "c"}, {"x"}, {"text", "int2"}, nil}, g.columns); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([][]string{{"<null>", "7", "<null>"}, {"", "\x01\x02"}}, g.rows); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestTooManyArgumentsAreAnErrorOfTheCaller(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	backend := value(t, db, as(w.ann), "select pg_backend_pid()")
	s := statement("select 1")
	s.Args = make([][]byte, 1<<16)
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{s}, &got{}); err == nil || code(err) != "" {
		t.Errorf("got %v", err)
	}
	if now := value(t, db, as(w.ann), "select pg_backend_pid()"); now != backend {
		t.Error("it costs the connection")
	}
}

// TestLargeStatementsBothWays would stand still if everything were written before the answer is read.
func TestLargeStatementsBothWays(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn})
	large := strings.Repeat("x", 16<<20)
	g := &sum{}
	echo := statement("select $1::text from generate_series(1, 3)", large)
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{echo, echo, statement("select 1")}, g); err != nil {
		t.Fatal(err)
	}
	if g.bytes != 6*len(large)+1 {
		t.Errorf("%d bytes", g.bytes)
	}
}

// sum counts what comes.
type sum struct {
	rows, bytes int
	after       func(rows int) error
}

func (s *sum) Columns(int, []string) error { return nil }

func (s *sum) Row(_ int, values [][]byte) error {
	s.rows++
	for _, v := range values {
		s.bytes += len(v)
	}
	if s.after != nil {
		return s.after(s.rows)
	}
	return nil
}

func (s *sum) Restart() bool { return false }

func TestErrorsOfTheCommit(t *testing.T) {
	w := newWorld(t, `create table late (id int unique deferrable initially deferred)`)
	pgtest.Exec(t, w.super, "grant select, insert on late to "+w.ann)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	tx := as(w.ann)
	tx.ReadWrite = true
	for _, isolation := range []string{"", "repeatable read"} {
		tx.Isolation = isolation
		if _, err := tryRead(t.Context(), db, tx, "insert into late values (1), (1) returning id"); code(err) != "23505" {
			t.Errorf("%q: %v", isolation, err)
		}
	}
	read(t, db, tx, "select 1")
}

func TestCopyIsRefused(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.super, MaxConns: 1})
	var lost *pg.LostError
	for _, sql := range []string{"copy item to stdout", "copy item from stdin"} {
		tx := as(w.ann)
		tx.ReadWrite = true
		if _, err := tryRead(t.Context(), db, tx, sql); !errors.As(err, &lost) && code(err) == "" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	read(t, db, as(w.ann), "select 1")
}

func TestReadBeforeRun(t *testing.T) {
	db, err := pg.Open(pg.Options{DSN: "postgres://nobody@nowhere/nothing"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryRead(t.Context(), db, as("x"), "select 1"); !errors.Is(err, pg.ErrClosed) {
		t.Error(err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, pg.ErrClosed) {
		t.Error(err)
	}
}
