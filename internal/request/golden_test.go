package request_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

var update = flag.Bool("update", false, "write what Parse answers into testdata/*.case")

// TestGolden parses the requests of testdata/*.case: lines that begin with ">"
// are a request line and headers (Schemas and Root-Spec stand for the
// settings), the lines up to the next blank one are what Parse answers.
func TestGolden(t *testing.T) { runFiles(t, "testdata/*.case", answer) }

// runFiles compares what answer says to the asking lines of each case with the lines after them.
func runFiles(t *testing.T, pattern string, answer func(*testing.T, []string) string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".case"), func(t *testing.T) { runCases(t, file, answer) })
	}
}

func runCases(t *testing.T, file string, answer func(*testing.T, []string) string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); {
		if !strings.HasPrefix(lines[i], ">") {
			out.WriteString(lines[i] + "\n")
			i++
			continue
		}
		first := i
		for i < len(lines) && strings.HasPrefix(lines[i], ">") {
			i++
		}
		asked := lines[first:i]
		first = i
		for i < len(lines) && lines[i] != "" && !strings.HasPrefix(lines[i], ">") && !strings.HasPrefix(lines[i], "#") {
			i++
		}
		want, got := strings.Join(lines[first:i], "\n"), answer(t, asked)
		if want != got && !*update {
			t.Errorf("%s:%d: %s\n got %s\nwant %s", file, first, strings.Join(asked, "\n"), got, want)
		}
		out.WriteString(strings.Join(asked, "\n") + "\n" + got + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func answer(t *testing.T, asked []string) string {
	t.Helper()
	method, target, _ := strings.Cut(strings.TrimPrefix(asked[0], "> "), " ")
	header := http.Header{}
	for _, line := range asked[1:] {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "> "), ": ")
		header.Add(name, value)
	}
	s := request.Settings{Schemas: []string{"api"}, RootSpec: header.Get("Root-Spec")}
	if schemas := header.Get("Schemas"); schemas != "" {
		s.Schemas = strings.Split(schemas, ",")
	}
	r, err := request.Parse(method, parseURL(t, target), header, s)
	if err != nil {
		e := apierr.From(err)
		return fmt.Sprintf("%d %s", e.HTTPStatus(), e.JSON(apierr.Verbose))
	}
	return dumpRequest(r)
}

// dumpRequest renders a request with one line per field; what has its default is left out.
func dumpRequest(r *request.Request) string {
	d := dumper{r.Query.Values}
	lines := []string{fmt.Sprintf("%s %s %q in %q", r.Method, [...]string{"root", "relation", "function"}[r.Target], r.Name, r.Schema)}
	add := func(name string, v any) {
		if m := d.value(reflect.ValueOf(v)); m != nil {
			text, err := json.Marshal(m)
			if err != nil {
				panic(err)
			}
			lines = append(lines, name+" "+strings.NewReplacer(`\u003e`, ">", `\u003c`, "<", `\u0026`, "&").Replace(string(text)))
		}
	}
	q := &r.Query
	if sel := q.Select; len(sel.Embeds) > 0 || len(sel.Fields) != 1 || !reflect.DeepEqual(sel.Fields[0], request.Field{Column: request.Column{Name: "*"}}) {
		add("fields", sel.Fields)
		add("embeds", sel.Embeds)
	}
	add("filters", q.Filters)
	add("logic", q.Logic)
	add("orders", q.Orders)
	add("windows", q.Windows)
	add("params", q.Params)
	add("columns", q.Columns)
	add("on_conflict", q.OnConflict)
	add("cursor", q.Cursor)
	add("window", r.Window)
	add("prefer", r.Prefer)
	add("if-match", r.IfMatch)
	add("if-none-match", r.IfNoneMatch)
	add("negotiated", r.ProfileNegotiated)
	if len(r.Accept) != 1 || r.Accept[0].Name != request.AnyType {
		add("accept", r.Accept)
	}
	if r.ContentType.Name != request.JSON {
		add("content", r.ContentType)
	}
	return strings.Join(lines, "\n")
}

// dumper turns trees into what encoding/json renders briefly: values are
// resolved, and zero fields, which are the defaults, are left out.
type dumper struct{ values []string }

func (d dumper) value(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case request.Value:
		if x == request.NoValue {
			return nil
		}
		return "=" + d.values[x]
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return d.value(v.Elem())
	case reflect.Slice:
		return d.slice(v)
	case reflect.Struct:
		m := map[string]any{}
		d.fields(m, v)
		if len(m) == 0 {
			return nil
		}
		return m
	}
	if v.IsZero() {
		return nil
	}
	return v.Interface()
}

func (d dumper) slice(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	list := make([]any, v.Len())
	for i := range list {
		list[i] = d.value(v.Index(i))
	}
	return list
}

// fields flattens embedded structs; NoLimit is the one default that is not zero.
func (d dumper) fields(m map[string]any, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case !f.IsExported():
		case f.Anonymous:
			d.fields(m, v.Field(i))
		case f.Name == "Limit":
			if v.Field(i).Int() != request.NoLimit {
				m[f.Name] = v.Field(i).Int()
			}
		default:
			if x := d.value(v.Field(i)); x != nil {
				m[f.Name] = x
			}
		}
	}
}
