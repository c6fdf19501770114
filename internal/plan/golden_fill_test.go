package plan_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// fill renders how the answer to a request can be kept, and the keys of what it shows.
func (c *cinema) fill(t *testing.T, p *plan.Read, r *request.Request, o plan.Options) []string {
	t.Helper()
	f := p.Fill
	if f == nil {
		return nil
	}
	if f.Because != "" {
		return []string{"not kept: " + f.Because}
	}
	names := map[uint32]*schema.Relation{}
	for _, r := range c.snapshot.Relations {
		names[r.OID] = r
	}
	var lines []string
	add := func(format string, a ...any) { lines = append(lines, fmt.Sprintf(format, a...)) }
	add("fill %s", strings.Replace(f.SQL, p.SQL, "…", 1))
	for _, oid := range f.Tables {
		name := "a partition"
		if r := names[oid]; r != nil {
			name = r.Name.Name
		}
		add("all of %s", name)
	}
	for _, v := range f.Moving {
		add("moves with %s: %t", r.Query.Values[v], plan.MovingInput(r.Query.Values[v]))
	}
	got, err := c.run(t, f.SQL, f.Bind(nil, r, o, nil))
	if err != nil {
		return append(lines, databaseError(t, err))
	}
	shown, err := f.Shown([]byte(deref(got.rows[0][plan.ColumnKeys])), func(a *plan.Arg) int64 { return a.Limit(r, o) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Levels {
		add("%s", level(names[f.Levels[i].Table], &f.Levels[i], &shown[i], r))
	}
	return lines
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// level renders a level and what is shown of it.
func level(r *schema.Relation, l *plan.Level, shown *plan.Shown, q *request.Request) string {
	column := func(number int16) string {
		for i := range r.Columns {
			if r.Columns[i].Number == number {
				return r.Columns[i].Name
			}
		}
		return "?"
	}
	columns := func(numbers []int16) (names []string) {
		for _, n := range numbers {
			names = append(names, column(n))
		}
		return names
	}
	out := "rows of " + r.Name.Name
	if l.Key != nil {
		out += fmt.Sprintf(" key %v in %v", columns(l.Key), shown.Keys)
	}
	if l.Link != nil {
		out += fmt.Sprintf(" link %v in %v", columns(l.Link), shown.Links)
	}
	for _, f := range l.Filter {
		value := f.Condition.Is
		if f.Condition.Value != request.NoValue {
			value = q.Query.Values[f.Condition.Value]
		}
		out += fmt.Sprintf(" filter %s %s %s", column(f.Column), f.Condition.Operator, value)
	}
	if l.Hidden {
		out += " hidden"
	}
	if l.Limit != nil {
		out += fmt.Sprintf(" limit full %t total %t", shown.Full, l.Total)
	}
	for i, o := range l.Order {
		last := "none"
		if shown.Last != nil {
			last = "null"
			if shown.Last[i] != nil {
				last = *shown.Last[i]
			}
		}
		out += fmt.Sprintf(" order %s desc %t nullsfirst %t last %s", column(o.Column), o.Descending, o.NullsFirst, last)
	}
	return out
}

// Whatever is asked for, the statement for the cache gives the same answer.
func TestFillsGiveTheSameAnswers(t *testing.T) {
	c := newCinema(t)
	files, err := filepath.Glob("testdata/*.case")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i := 0; i < len(lines); i++ {
			first := i
			for i < len(lines) && strings.HasPrefix(lines[i], "> ") {
				i++
			}
			if i > first && c.compareFill(t, lines[first:i]) {
				compared++
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d requests can be kept", compared)
	}
	t.Logf("%d requests", compared)
}

func (c *cinema) compareFill(t *testing.T, asked []string) bool {
	t.Helper()
	method, target, header := headersOf(asked)
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	r, err := parse(method, target, header)
	if err != nil {
		return false
	}
	cursor := setCursor(t, r, header.Get("Cursor"))
	o := options(t, header.Get("Options"))
	o.Fills = true
	p, err := plan.New(c.snapshot, r, o)
	if err != nil || p.Fill == nil || p.Fill.Because != "" {
		return false
	}
	want, wantErr := c.run(t, p.SQL, p.Bind(nil, r, o, cursor))
	statements := []struct {
		sql  string
		args [][]byte
	}{{p.Fill.SQL, p.Fill.Bind(nil, r, o, cursor)}, {p.Fill.Unkeyed, p.Fill.BindUnkeyed(nil, r, o, cursor)}}
	for _, s := range statements {
		if s.sql == "" {
			continue
		}
		got, err := c.run(t, s.sql, s.args)
		if err != nil || wantErr != nil {
			if wantErr == nil || err == nil || databaseError(t, err) != databaseError(t, wantErr) {
				t.Errorf("%s: %v, not %v\n%s", strings.Join(asked, "\n"), err, wantErr, s.sql)
			}
			continue
		}
		if d := cmp.Diff(want.rows[0][:plan.ColumnHeaders], got.rows[0][:plan.ColumnHeaders]); d != "" || got.rows[0][plan.ColumnStamp] == nil {
			t.Errorf("%s (-want +got)\n%s\n%s", strings.Join(asked, "\n"), d, s.sql)
		}
	}
	return true
}
