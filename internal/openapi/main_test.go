package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/schema"
)

var update = flag.Bool("update", false, "write the golden documents anew")

func TestMain(m *testing.M) { pgtest.Main(m) }

// library is a new database with testdata/library.sql.
func library(t testing.TB) *pg.Conn {
	t.Helper()
	script, err := os.ReadFile("testdata/library.sql")
	if err != nil {
		t.Fatal(err)
	}
	return database(t, string(script))
}

func database(t testing.TB, script string) *pg.Conn {
	t.Helper()
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, script)
	conn, err := pg.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func load(t testing.TB, conn *pg.Conn, schemas ...string) *schema.Snapshot {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	s, err := schema.Load(t.Context(), tx, schema.Options{Schemas: schemas})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask runs AccessSQL or CommentSQL as a role, with the schema as the search path.
func ask(t testing.TB, conn *pg.Conn, sql, role, name string) string {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), "select set_config('role', $1, true), set_config('search_path', $2, true)", role, name); err != nil {
		t.Fatal(err)
	}
	var answer string
	if err := tx.QueryRow(t.Context(), sql, name).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func access(t testing.TB, answer string) *openapi.Access {
	t.Helper()
	a, err := openapi.ParseAccess([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// describeLibrary is the description of the library for a superuser.
func describeLibrary(t testing.TB, conn *pg.Conn) openapi.Description {
	t.Helper()
	d := access(t, ask(t, conn, openapi.AccessSQL, "none", "library")).Filter(load(t, conn, "library"), "library")
	d.Server = openapi.Server{Scheme: "https", Host: "api.example.org", Port: 443, BasePath: "/v1"}
	d.Version = "1.2"
	d.SecurityActive = true
	return d
}

// golden compares a document, a few levels of it broken into lines, with a file in testdata.
func golden(t *testing.T, name string, document []byte) {
	t.Helper()
	got := lines(document)
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs at %s\n(go test ./internal/openapi -update writes it anew)", name, firstDifference(got, want))
	}
}

// lines breaks compact JSON into a line for every member of the outer levels.
func lines(document []byte) []byte {
	const levels = 3
	var b bytes.Buffer
	depth, quoted, escaped := 0, false, false
	for _, c := range document {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth < levels {
				b.WriteByte('\n')
			}
		}
		b.WriteByte(c)
		if open := c == '{' || c == '['; !quoted && (open || c == ',') && depth <= levels {
			b.WriteString("\n" + strings.Repeat(" ", depth))
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return "line " + strconv.Itoa(i+1) + ":\n got " + string(g[i]) + "\nwant " + string(w[i])
		}
	}
	return "its end"
}

// decode is the document as encoding/json sees it.
func decode(t testing.TB, document []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// at follows keys and indexes into a document; nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}
