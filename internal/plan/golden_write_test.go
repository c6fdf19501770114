package plan_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// TestGoldenWrites is TestGolden for testdata/write/*.case: writes, and calls by POST. Lines that begin with "> |" are
// the body. Then is a query whose result is shown: what the write has left. Everything is rolled back.
func TestGoldenWrites(t *testing.T) {
	script, err := os.ReadFile("testdata/write/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, string(script))
	files, err := filepath.Glob("testdata/write/*.case")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".case"), func(t *testing.T) { c.golden(t, file) })
	}
}

// asking is a request with a body, as a case has it.
type asking struct {
	*request.Request
	header  http.Header
	options plan.Options
}

// ask reads a case.
func ask(t *testing.T, lines []string) (*asking, error) {
	t.Helper()
	method, target, _ := strings.Cut(strings.TrimPrefix(lines[0], "> "), " ")
	a := &asking{header: http.Header{}}
	var body []string
	for _, line := range lines[1:] {
		if text, ok := strings.CutPrefix(line, "> | "); ok {
			body = append(body, text)
			continue
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "> "), ": ")
		a.header.Add(name, value)
	}
	a.options = options(t, a.header.Get("Options"))
	var err error
	if a.Request, err = parse(method, target, a.header); err != nil {
		return nil, err
	}
	a.Payload, err = a.ReadPayload([]byte(strings.Join(body, "\n")))
	return a, err
}

// plan plans the request as package rest does. The Write is nil for a call.
func (c *cinema) plan(a *asking) (*plan.Read, *plan.Write, error) {
	if a.Target == request.Relation {
		w, err := plan.NewWrite(c.snapshot, a.Request, a.options)
		if err != nil {
			return nil, nil, err
		}
		return &w.Read, w, nil
	}
	p, err := plan.New(c.snapshot, a.Request, a.options)
	if err == nil {
		err = p.CheckAffected(&a.Prefer)
	}
	return p, nil, err
}

// write renders the plan of a write or call by POST, and what the database makes of it.
func (c *cinema) write(t *testing.T, asked []string) string {
	t.Helper()
	a, err := ask(t, asked)
	if err != nil {
		return refusal(t, err)
	}
	p, w, err := c.plan(a)
	if err != nil {
		return refusal(t, err)
	}
	args := p.Bind(nil, a.Request, a.options, nil)
	lines := []string{abbreviate.Replace(p.SQL)}
	if len(args) > 0 {
		lines = append(lines, "args "+texts(args))
	}
	lines = append(lines, describe(p)...)
	c.must(t, "begin read write")
	defer c.must(t, "rollback")
	got, err := c.run(t, p.SQL, args)
	switch {
	case err != nil:
		return strings.Join(append(lines, databaseError(t, err)), "\n")
	case w != nil && p.Format == plan.Body:
		lines = append(lines, renderWritten(w, got.rows[0]))
	default:
		lines = append(lines, got.render(p)...)
	}
	if then := a.header.Get("Then"); then != "" {
		left, err := c.run(t, then, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range left.rows {
			lines = append(lines, "then "+join(row))
		}
	}
	return strings.Join(lines, "\n")
}

func (c *cinema) must(t *testing.T, sql string) {
	t.Helper()
	if _, err := c.run(t, sql, nil); err != nil {
		t.Fatal(err)
	}
}

// renderWritten shows the row of a write in one line.
func renderWritten(w *plan.Write, row []*string) string {
	line := "= rows " + *row[plan.WrittenRows]
	if total := row[plan.WrittenTotal]; total != nil {
		line += " of " + *total
	}
	if w.Upsert {
		line += " inserted " + join(row[plan.WrittenInserted:plan.WrittenInserted+1])
	}
	if w.Key != nil {
		line += fmt.Sprintf(" key %q ", w.Key) + join(row[plan.WrittenLocation:plan.WrittenLocation+1])
	}
	return strings.TrimRight(line+" "+strings.ReplaceAll(*row[plan.WrittenBody], ", \n ", ", "), " ")
}
