package chaos_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// database is a PostgreSQL's with a table, and a proxy before it.
type database struct {
	*chaos.Proxy
	t      *testing.T
	direct string // URL without the proxy
	dsn    string // URL through the proxy
}

func newDatabase(t *testing.T, faults ...chaos.Fault) *database {
	t.Helper()
	d := &database{t: t, direct: pgtest.Database(t)}
	pgtest.Exec(t, d.direct, "create table item (id int primary key)")
	config, err := pgconn.ParseConfig(d.direct)
	if err != nil {
		t.Fatal(err)
	}
	_, address := pgconn.NetworkAddress(config.Host, config.Port)
	d.Proxy, err = chaos.ProxyConfig{Upstream: address, Protocol: chaos.PostgreSQL, Faults: faults}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	u, err := url.Parse(d.direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = d.Addr()
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	d.dsn = u.String()
	return d
}

func (d *database) connect(dsn string) *pgx.Conn {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func (d *database) set(faults ...string) {
	d.t.Helper()
	var all []chaos.Fault
	for _, text := range faults {
		f, err := chaos.ParseFault(text)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, f)
	}
	if err := d.Set(all...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *database) rows() string { return pgtest.Value(d.t, d.direct, "select count(*) from item") }

// A COMMIT that takes effect or not, and whose answer the client does not get.
func TestCutAtCommit(t *testing.T) {
	simple := func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.PgConn().Exec(ctx, "begin; insert into item values (1)").ReadAll()
		if err == nil {
			_, err = c.PgConn().Exec(ctx, "commit").ReadAll()
		}
		return err
	}
	extended := func(ctx context.Context, c *pgx.Conn) error {
		for _, sql := range []string{"begin", "insert into item values (1)", "commit"} {
			if r := c.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read(); r.Err != nil {
				return r.Err
			}
		}
		return nil
	}
	prepared := func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.PgConn().Prepare(ctx, "finish", "commit", nil); err != nil {
			return err
		}
		if _, err := c.PgConn().Exec(ctx, "begin; insert into item values (1)").ReadAll(); err != nil {
			return err
		}
		return c.PgConn().ExecPrepared(ctx, "finish", nil, nil, nil).Read().Err
	}
	for _, test := range []struct {
		name, fault, rows string
		write             func(context.Context, *pgx.Conn) error
	}{
		{"simple, its answer", "cut: {before: CommandComplete, tag: COMMIT}", "1", simple},
		{"extended, its answer", "reset: {before: CommandComplete, tag: COMMIT}", "1", extended},
		{"prepared, its answer", "reset: {before: CommandComplete, tag: commit}", "1", prepared},
		{"simple, before it", "reset: {before: Query, sql: COMMIT}", "0", simple},
		{"extended, before it", "cut: {before: Parse, sql: COMMIT}", "0", extended},
		{"extended, before it runs", "cut: {before: Execute, sql: COMMIT}", "0", extended},
		{"prepared, before it runs", "cut: {before: Execute, sql: COMMIT}", "0", prepared},
		{"simple, the answer to the INSERT", "cut: {before: CommandComplete, tag: INSERT}", "0", simple},
		{"extended, after the answer to BEGIN", "cut: {after: CommandComplete, nth: 1}", "0", extended},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDatabase(t)
			c := d.connect(d.dsn)
			d.set(test.fault)
			if err := test.write(t.Context(), c); err == nil {
				t.Error("the client was told that it is written")
			}
			if got := d.rows(); got != test.rows {
				t.Errorf("%s rows, want %s", got, test.rows)
			}
			d.set()
			if err := test.write(t.Context(), d.connect(d.dsn)); (err == nil) != (test.rows == "0") {
				t.Errorf("without the fault: %v", err)
			}
		})
	}
}

func TestDelayAtAMessage(t *testing.T) {
	d := newDatabase(t, chaos.Fault{Delay: &chaos.Point{Before: "CommandComplete", Tag: "INSERT", By: time.Hour}})
	c := d.connect(d.dsn)
	if _, err := c.Exec(t.Context(), "select 1"); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := c.Exec(ctx, "insert into item values (1)")
		written <- err
	}()
	eventually(t, "the row is there", func() bool { return d.rows() == "1" && d.Counts()["delay"] == 1 })
	select {
	case err := <-written:
		t.Errorf("answered: %v", err)
	default:
	}
	cancel()
	if err := <-written; err == nil {
		t.Error("answered")
	}
}

func TestBlackholeAtAMessage(t *testing.T) {
	d := newDatabase(t)
	c := d.connect(d.dsn)
	d.set("blackhole: {before: Query, sql: insert}")
	written := make(chan error, 1)
	go func() {
		_, err := c.PgConn().Exec(t.Context(), "insert into item values (1)").ReadAll()
		written <- err
	}()
	eventually(t, "it happens", func() bool { return d.Counts()["blackhole"] == 1 })
	if got := d.rows(); got != "0" {
		t.Errorf("%s rows in the hole", got)
	}
	d.set()
	if err := <-written; err != nil || d.rows() != "1" {
		t.Errorf("%v, %s rows after it", err, d.rows())
	}
}

func TestHalfOpenAtAMessage(t *testing.T) {
	d := newDatabase(t, chaos.Fault{HalfOpen: &chaos.Point{After: "Query", SQL: "select pg_sleep"}})
	c := d.connect(d.dsn)
	pid := c.PgConn().PID()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, err := c.PgConn().Exec(ctx, "select pg_sleep(0.01)").ReadAll()
		asked <- err
	}()
	eventually(t, "the server's side is over", func() bool {
		return pgtest.Value(t, d.direct, "select count(*) from pg_stat_activity where pid = $1", int32(pid)) == "0" //nolint:gosec // a process's number
	})
	select {
	case err := <-asked:
		t.Errorf("the client was told: %v", err)
	default:
	}
	cancel()
	if err := <-asked; err == nil {
		t.Error("answered")
	}
}

func TestProbabilityOfMessages(t *testing.T) {
	d := newDatabase(t, chaos.Fault{Delay: &chaos.Point{After: "Query", By: time.Nanosecond}, Probability: 0.5})
	c := d.connect(d.dsn)
	for range 100 {
		if _, err := c.PgConn().Exec(t.Context(), "select 1").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.Counts()["delay"]; n < 25 || n > 75 {
		t.Errorf("met %d of 100", n)
	}
}

// Messages of all sizes arrive as they were sent, when nothing happens to them.
func TestMessagesAreNotChanged(t *testing.T) {
	d := newDatabase(t, chaos.Fault{Cut: &chaos.Point{Before: "CommandComplete", Tag: "DROP"}})
	c := d.connect(d.dsn)
	for _, n := range []int{0, 1, 100, 4 << 10, 16 << 10, 32<<10 + 1, 5 << 20} {
		var got string
		sent := strings.Repeat("x", n)
		if err := c.QueryRow(t.Context(), "select $1::text", sent).Scan(&got); err != nil || got != sent {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
	var rows []int
	r, err := c.Query(t.Context(), "select generate_series(1, 100000)")
	if err == nil {
		rows, err = pgx.CollectRows(r, pgx.RowTo[int])
	}
	if err != nil || len(rows) != 100_000 || rows[99_999] != 100_000 {
		t.Error(len(rows), err)
	}
	if _, err := c.PgConn().CopyFrom(t.Context(), strings.NewReader(strings.Repeat("1\n", 1)), "copy item from stdin"); err != nil {
		t.Error(err)
	}
	if err := c.PgConn().CancelRequest(t.Context()); err != nil {
		t.Error(err)
	}
}

// Who asks for TLS is answered by the server, in both ways.
func TestTLS(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		d := newDatabase(t, chaos.Fault{Cut: &chaos.Point{Before: "Query", SQL: "bad"}})
		c := d.connect(strings.Replace(d.dsn, "sslmode=disable", "sslmode=prefer", 1))
		if _, err := c.PgConn().Exec(t.Context(), "bad").ReadAll(); !c.PgConn().IsClosed() {
			t.Error(err)
		}
		if counts := d.Counts(); counts["cut"] != 1 || counts["unreadable"] != 0 {
			t.Error(counts)
		}
	})
	t.Run("agreed", func(t *testing.T) {
		noLeaks(t)
		p := through(t, listen(t, func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 8))
			_, _ = io.WriteString(c, "S")
			_, _ = io.Copy(c, c)
		}), chaos.Fault{Cut: &chaos.Point{After: "Query"}})
		c := dial(t, p.Addr())
		request := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)
		_, _ = c.Write(request)
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := ask(c, "\x16\x03\x01 and what is not readable"); err != nil {
				t.Fatal(err)
			}
		}
		if counts := p.Counts(); counts["unreadable"] != 1 {
			t.Error(counts)
		}
	})
	t.Run("at once", func(t *testing.T) {
		noLeaks(t)
		p := through(t, echo(t), chaos.Fault{Cut: &chaos.Point{After: "Query"}})
		if err := ask(dial(t, p.Addr()), "\x16\x03\x01 and what is not readable"); err != nil || p.Counts()["unreadable"] != 1 {
			t.Error(err, p.Counts())
		}
	})
}
