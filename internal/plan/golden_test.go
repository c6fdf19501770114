package plan_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

var update = flag.Bool("update", false, "write what New plans and the database answers into testdata/*.case")

// TestGolden plans the requests of testdata/*.case and runs what is planned.
//
// Lines that begin with ">" are a request line and headers, of which Options and Cursor stand for the configuration and
// for a decoded cursor. The lines up to the next blank one are the plan, and what the database of schema.sql answers.
func TestGolden(t *testing.T) {
	c := newCinema(t)
	files, err := filepath.Glob("testdata/*.case")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".case"), func(t *testing.T) { c.golden(t, file) })
	}
}

func (c *cinema) golden(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i := 0; i < len(lines); {
		if !strings.HasPrefix(lines[i], "> ") {
			out.WriteString(lines[i] + "\n")
			i++
			continue
		}
		first := i
		for i < len(lines) && strings.HasPrefix(lines[i], "> ") {
			i++
		}
		asked := lines[first:i]
		begin := i
		for i < len(lines) && lines[i] != "" && !strings.HasPrefix(lines[i], "> ") && !strings.HasPrefix(lines[i], "# ") {
			i++
		}
		want, got := strings.Join(lines[begin:i], "\n"), c.of(t, asked)
		if want != got && !*update {
			t.Errorf("%s:%d: %s\n got %s\nwant %s", file, first+1, strings.Join(asked, "\n"), got, want)
		}
		out.WriteString(strings.Join(asked, "\n") + "\n" + got + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// of renders a case.
func (c *cinema) of(t *testing.T, asked []string) string {
	switch method, _, _ := strings.Cut(strings.TrimPrefix(asked[0], "> "), " "); method {
	case http.MethodGet, http.MethodHead:
		return c.answer(t, asked)
	}
	return c.write(t, asked)
}

// answer renders the plan of a request, and what the database makes of it.
func (c *cinema) answer(t *testing.T, asked []string) string {
	t.Helper()
	method, target, header := headersOf(asked)
	r, err := parse(method, target, header)
	if err != nil {
		return refusal(t, err)
	}
	cursor := setCursor(t, r, header.Get("Cursor"))
	o := options(t, header.Get("Options"))
	p, err := plan.New(c.snapshot, r, o)
	if err == nil {
		err = p.CheckAffected(&r.Prefer)
	}
	if err != nil {
		return refusal(t, err)
	}
	args := p.Bind(nil, r, o, cursor)
	lines := []string{abbreviate.Replace(p.SQL)}
	if len(args) > 0 {
		lines = append(lines, "args "+texts(args))
	}
	lines = append(lines, describe(p)...)
	lines = append(lines, c.fill(t, p, r, o)...)
	if p.EstimateSQL != "" {
		estimated := p.BindEstimate(nil, r, o)
		lines = append(lines, "estimate "+p.EstimateSQL+" "+texts(estimated))
		if _, err := c.run(t, p.EstimateSQL, estimated); err != nil {
			lines = append(lines, databaseError(t, err))
		}
	}
	if got, err := c.run(t, p.SQL, args); err != nil {
		lines = append(lines, databaseError(t, err))
	} else {
		lines = append(lines, got.render(p)...)
	}
	return strings.Join(lines, "\n")
}

// headersOf reads the lines of a request.
func headersOf(asked []string) (method, target string, header http.Header) {
	method, target, _ = strings.Cut(strings.TrimPrefix(asked[0], "> "), " ")
	header = http.Header{}
	for _, line := range asked[1:] {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "> "), ": ")
		header.Add(name, value)
	}
	return method, target, header
}

// abbreviate leaves out what is the same in nearly every statement; TestStatement has it in full.
var abbreviate = strings.NewReplacer(", nullif(current_setting('response.headers', true), '') AS response_headers"+
	", nullif(current_setting('response.status', true), '') AS response_status", ", …")

func refusal(t *testing.T, err error) string {
	t.Helper()
	e := apierr.From(err)
	if e == nil {
		t.Fatalf("error that is not made for clients: %v", err)
	}
	return fmt.Sprintf("%d %s", e.HTTPStatus(), e.JSON(apierr.Verbose))
}

func databaseError(t *testing.T, err error) string {
	t.Helper()
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	return "! " + e.Code + " " + e.Message
}

// options reads words such as "no-aggregates max-rows=2 guard:films:max-rows=1".
func options(t *testing.T, words string) plan.Options {
	t.Helper()
	o := defaults
	for _, word := range strings.Fields(words) {
		name, value, _ := strings.Cut(word, "=")
		if guard, ok := strings.CutPrefix(name, "guard:"); ok {
			addGuard(t, &o, guard, value)
			continue
		}
		switch name {
		case "no-aggregates":
			o.Aggregates = false
		case "no-explain":
			o.Explain = false
		case "fills":
			o.Fills = true
		case "legacy":
			o.LegacyTargetNames = true
		case "max-rows":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			o.MaxRows = n
		default:
			t.Fatalf("no such option: %s", word)
		}
	}
	return o
}

// addGuard reads a guard such as films:max-rows, and its value.
func addGuard(t *testing.T, o *plan.Options, name, value string) {
	t.Helper()
	relation, guard, _ := strings.Cut(name, ":")
	if o.Guards == nil {
		o.Guards = plan.Guards{}
	}
	g := o.Guards[relation]
	switch number, _ := strconv.Atoi(value); guard {
	case "max-rows":
		g.MaxRows = &number
	case "max-embed-depth":
		g.MaxEmbedDepth = &number
	case "indexed-filters-only":
		g.IndexedFiltersOnly = new(value == "true")
	case "max-cost":
		g.MaxCost = &number
	case "statement-timeout":
		g.StatementTimeout = new(time.Duration(number) * time.Millisecond)
	case "full-table-writes":
		g.FullTableWrites = new(value == "true")
	case "":
	default:
		t.Fatalf("no such guard: %s", guard)
	}
	o.Guards[relation] = g
}

// setCursor reads a cursor such as next ["5",null] into the request.
func setCursor(t testing.TB, r *request.Request, text string) [][]byte {
	t.Helper()
	if text == "" {
		return nil
	}
	direction, list, _ := strings.Cut(text, " ")
	var values []*string
	if err := json.Unmarshal([]byte(list), &values); err != nil {
		t.Fatal(err)
	}
	return putCursor(r, direction == "prev", values)
}

// putCursor does what package rest does with a cursor whose MAC is right.
func putCursor(r *request.Request, backward bool, values []*string) [][]byte {
	r.Query.Cursor, r.Query.CursorBackward = "…", backward
	key := make([][]byte, len(values))
	for i, v := range values {
		if v == nil {
			r.Query.CursorNulls |= 1 << i
		} else {
			key[i] = []byte(*v)
		}
	}
	return key
}

// describe renders what of a plan is not as in most plans.
func describe(p *plan.Read) []string {
	var lines []string
	add := func(format string, a ...any) { lines = append(lines, fmt.Sprintf(format, a...)) }
	if p.Media.Name != request.JSON {
		add("media %s", p.Media.ContentType())
	}
	for _, r := range p.Renames {
		add("renamed %s to %s", r[0], r[1])
	}
	if k := p.Keyset; k != nil {
		add("order %s, backward %t, settings %v", k.Order, k.Backward, k.Settings)
	}
	if len(p.Settings) > 0 {
		add("settings %v", p.Settings)
	}
	if p.CostSQL != "" {
		add("cost at most %d: %s", p.MaxCost, abbreviate.Replace(p.CostSQL))
	}
	return lines
}

func texts(args [][]byte) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = "null"
		if a != nil {
			out[i] = strconv.Quote(string(a))
		}
	}
	return strings.Join(out, " ")
}

// render shows a result in few lines.
func (r *result) render(p *plan.Read) []string {
	switch p.Format {
	case plan.Explained:
		return []string{"= explained"} // costs are no constants
	case plan.CSVRows, plan.NDJSONRows:
		lines := []string{"= " + strings.Join(r.columns, " | ")}
		for _, row := range r.rows {
			lines = append(lines, "= "+join(row))
		}
		return lines
	}
	row := r.rows[0]
	line := "= "
	if total := row[plan.ColumnTotal]; total != nil {
		line += "total " + *total + " "
	}
	// PostgreSQL breaks the line between the rows of json_agg; a case is easier to read without
	line += "rows " + *row[plan.ColumnRows] + " " + strings.ReplaceAll(*row[plan.ColumnBody], ", \n ", ", ")
	if p.Keyset != nil {
		line += " keys " + *row[plan.ColumnKeyset]
	}
	return []string{line}
}

func join(row []*string) string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = "null"
		if v != nil {
			out[i] = *v
		}
	}
	return strings.Join(out, " | ")
}
