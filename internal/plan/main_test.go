package plan_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// cinema is the database of testdata/schema.sql with its snapshot.
type cinema struct {
	snapshot *schema.Snapshot
	conn     *pgconn.PgConn
}

func newCinema(t testing.TB) *cinema {
	t.Helper()
	script, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, string(script))
}

// open makes a database with a script and reads its catalog.
func open(t testing.TB, script string) *cinema {
	t.Helper()
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, script)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := schema.Load(ctx, tx, schema.Options{Schemas: []string{"api", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	const session = `set search_path to api, public; set timezone to 'UTC'; set default_transaction_read_only to on;
		set default_text_search_config to 'pg_catalog.english'; set client_min_messages to error`
	if _, err := conn.Exec(ctx, session); err != nil {
		t.Fatal(err)
	}
	return &cinema{snapshot: snapshot, conn: conn.PgConn()}
}

// result is what a statement gave: the texts of its columns, NULL as nil.
type result struct {
	columns []string
	rows    [][]*string
}

// run executes a statement in the extended protocol, as package pg does.
func (c *cinema) run(t testing.TB, sql string, args [][]byte) (*result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := c.conn.ExecParams(ctx, sql, args, nil, nil, nil)
	out := &result{}
	for _, f := range r.FieldDescriptions() {
		out.columns = append(out.columns, f.Name)
	}
	for r.NextRow() {
		row := make([]*string, len(r.Values()))
		for i, v := range r.Values() {
			if v != nil {
				text := string(v)
				row[i] = &text
			}
		}
		out.rows = append(out.rows, row)
	}
	_, err := r.Close()
	return out, err
}

// parse reads "GET /path?query", in which blanks and the like may stand as they are, and header lines.
func parse(method, target string, header http.Header) (*request.Request, error) {
	path, query, _ := strings.Cut(target, "?")
	u := &url.URL{Path: path, RawQuery: strings.NewReplacer(" ", "%20", "+", "%2B", "#", "%23").Replace(query)}
	s := request.Settings{Schemas: []string{"api", "other"}, Limits: request.Limits{Depth: 200, Conditions: 5000, Fields: 5000, Embeds: 5000}}
	return request.Parse(method, u, header, s)
}

// defaults are the options of most tests.
var defaults = plan.Options{Aggregates: true, Explain: true}
