package pg_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// run opens a DB and runs it until the end of the test. No goroutine may be left then.
func run(t testing.TB, o pg.Options) *pg.DB {
	t.Helper()
	before := goleak.IgnoreCurrent()
	db, err := pg.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		// A proxy of the test lives on.
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/slipstream-go/slipstream/internal/pg_test.(*proxy).serve"),
			goleak.IgnoreAnyFunction("github.com/slipstream-go/slipstream/internal/pg_test.(*link).forward"))
	})
	eventually(t, "running", db.Running)
	return db
}

// eventually waits until ok, for a minute at most.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never %s", what)
		}
	}
}

// world is a database with two roles and a login role of theirs that owns nothing and inherits nothing.
type world struct {
	super, dsn       string // of the superuser and of the login role
	login, ann, bert string
}

func newWorld(t testing.TB, sql ...string) world {
	t.Helper()
	w := world{
		login: pgtest.Role(t, "login noinherit password 'secret'"),
		ann:   pgtest.Role(t, "nologin"),
		bert:  pgtest.Role(t, "nologin"),
	}
	w.super = pgtest.Database(t)
	w.dsn = withUser(t, w.super, w.login)
	pgtest.Exec(t, w.super, "grant "+w.ann+", "+w.bert+" to "+w.login)
	pgtest.Exec(t, w.super, `
		create table item (id int primary key, name text);
		insert into item select i, 'item ' || i from generate_series(1, 1000) i;
		grant select, insert on item to `+w.ann+", "+w.bert)
	pgtest.Exec(t, w.super, sql...)
	return w
}

func withUser(t testing.TB, dsn, user string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "secret")
	return u.String()
}

// as is a transaction of a role.
func as(role string, settings ...pg.Setting) *pg.Tx {
	return &pg.Tx{Role: role, SearchPath: `"public"`, Settings: settings}
}

// got is a sink that keeps everything.
type got struct {
	columns  [][]string
	rows     [][]string // NULL is "<null>"
	restarts int
	onRow    func() error
}

func (g *got) Columns(_ int, names []string) error {
	g.columns = append(g.columns, slices.Clone(names))
	return nil
}

func (g *got) Row(_ int, values [][]byte) error {
	row := make([]string, len(values))
	for i, v := range values {
		if row[i] = string(v); v == nil {
			row[i] = "<null>"
		}
	}
	g.rows = append(g.rows, row)
	if g.onRow != nil {
		return g.onRow()
	}
	return nil
}

func (g *got) Restart() bool {
	g.restarts++
	g.columns, g.rows = nil, nil
	return true
}

// read runs one statement with arguments.
func read(t testing.TB, db *pg.DB, tx *pg.Tx, sql string, args ...string) *got {
	t.Helper()
	g, err := tryRead(t.Context(), db, tx, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return g
}

func tryRead(ctx context.Context, db *pg.DB, tx *pg.Tx, sql string, args ...string) (*got, error) {
	g := &got{}
	return g, db.Read(ctx, tx, []pg.Statement{statement(sql, args...)}, g)
}

func statement(sql string, args ...string) pg.Statement {
	s := pg.Statement{SQL: sql}
	for _, a := range args {
		s.Args = append(s.Args, []byte(a))
	}
	return s
}

// value is the only value of a read.
func value(t testing.TB, db *pg.DB, tx *pg.Tx, sql string, args ...string) string {
	t.Helper()
	rows := read(t, db, tx, sql, args...).rows
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %d rows", sql, len(rows))
	}
	return rows[0][0]
}

// code is the SQLSTATE of an error, or empty.
func code(err error) string {
	var e *pg.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// withHost leads to another host and port.
func withHost(t testing.TB, dsn, host string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = host
	return u.String()
}
