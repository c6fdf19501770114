package request_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// read reads a body; an error must be a refusal, and columns must be in order.
func read(t *testing.T, r *request.Request, body []byte) *request.Payload {
	t.Helper()
	p, err := r.ReadPayload(body)
	if err != nil {
		if e := apierr.From(err); e == nil || e.HTTPStatus() < 400 || e.HTTPStatus() > 499 {
			t.Fatalf("%v is not a refusal", err)
		}
		return nil
	}
	if !slices.IsSorted(p.Columns) || len(slices.Compact(slices.Clone(p.Columns))) != len(p.Columns) {
		t.Fatalf("columns %q", p.Columns)
	}
	return p
}

var (
	pairs  = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`)
	halves = regexp.MustCompile(`(?i)\\ud[89a-f][0-9a-f]{2}`)
)

// wellFormed is what ReadPayload takes, by encoding/json and what that does not look at.
func wellFormed(body []byte) bool {
	if !json.Valid(body) || !utf8.Valid(body) {
		return false
	}
	escapes := pairs.ReplaceAll(bytes.ReplaceAll(body, []byte(`\\`), nil), nil)
	if halves.Match(escapes) {
		return false
	}
	depth := 0
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return true
		}
		if delim, ok := token.(json.Delim); ok && (delim == '{' || delim == '[') {
			depth++
		} else if ok {
			depth--
		}
		if depth > 128 {
			return false
		}
	}
}

// rowsOf are the keys of all rows, and false where they are not all objects.
func rowsOf(t *testing.T, body []byte) ([][]string, bool) {
	t.Helper()
	body = bytes.TrimLeft(body, " \t\r\n")
	var elements []json.RawMessage
	switch body[0] {
	case '{':
		elements = append(elements, body)
	case '[':
		if err := json.Unmarshal(body, &elements); err != nil {
			t.Fatal(err)
		}
	default:
		return nil, true
	}
	var rows [][]string
	for _, e := range elements {
		var row map[string]json.RawMessage
		if e[0] != '{' {
			return nil, false
		}
		if err := json.Unmarshal(e, &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, slices.Sorted(maps.Keys(row)))
	}
	return rows, true
}

// FuzzJSON compares the reader of JSON with encoding/json.
func FuzzJSON(f *testing.F) {
	f.Add(bodies[0].body)
	for _, s := range []string{
		``, `[]`, `{}`, `[{},{}]`, `[{"a":1},{"a":2}]`, `[{"a":1,"b":[{}]},{"b":{"c":"}"},"a":-0.5e+7}]`, `[{"a":1},{"\u0061":1,"a":2}]`,
		`[{"a":1},{"b":1}]`, `{"\ud83d\ude00":"\\ud800","\ud800":1}`, `{"a":"\ud800"}`, "{\"\xff\":1}", `[01]`, `[1,]`, `tru`, "\t\"é\u2028\" ", `[[[[[]]]]]`,
		`[{"abcdefgh":1,"i":2,"abcdefgh":3},{"i":1,"abcdefgh":2}]`, `{"` + strings.Repeat("é", 20) + `\n` + "\x01" + `":1}`, strings.Repeat("[", 130),
	} {
		f.Add([]byte(s))
	}
	r := write(f, "POST", "/items", "")
	loose := write(f, "POST", "/items?columns=a", "")
	f.Fuzz(func(t *testing.T, body []byte) {
		p := read(t, r, body)
		checkColumnsOnly(t, read(t, loose, body), body)
		if !wellFormed(body) {
			if p != nil {
				t.Fatalf("%q is taken", body)
			}
			return
		}
		rows, objects := rowsOf(t, body)
		uniform := objects && !slices.ContainsFunc(rows, func(row []string) bool { return !slices.Equal(row, rows[0]) })
		if uniform != (p != nil) {
			t.Fatalf("%q is taken: %v", body, p != nil)
		}
		if p == nil {
			return
		}
		if p.Rows != len(rows) || len(rows) > 0 && !slices.Equal(p.Columns, rows[0]) {
			t.Fatalf("%d rows of %q in %q", p.Rows, p.Columns, body)
		}
		checkChunks(t, p)
	})
}

func checkColumnsOnly(t *testing.T, p *request.Payload, body []byte) {
	t.Helper()
	if p == nil { // too deep
		return
	}
	if (p.Rows >= 0) != wellFormed(body) || !bytes.Equal(p.JSON, body) {
		t.Fatalf("%d rows in %q", p.Rows, body)
	}
	checkChunks(t, p)
}

// checkChunks splits into parts of several sizes, which must be the rows in their order.
func checkChunks(t *testing.T, p *request.Payload) {
	t.Helper()
	var want []json.RawMessage
	if p.Rows > 0 {
		if err := json.Unmarshal(p.JSON, &want); err != nil {
			want = []json.RawMessage{bytes.TrimSpace(p.JSON)}
		}
	}
	for _, size := range []int{1, 20, 1 << 20} {
		var got []json.RawMessage
		for c := range p.Chunks(size) {
			var rows []json.RawMessage
			if err := json.Unmarshal([]byte("["+string(c.JSON)+"]"), &rows); err != nil {
				t.Fatalf("chunk %q: %v", c.JSON, err)
			}
			if c.First != len(got) || c.Rows != len(rows) || c.Rows > 1 && len(c.JSON) > size {
				t.Fatalf("chunk %+v of size %d has %d rows", c, size, len(rows))
			}
			got = append(got, rows...)
		}
		if !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("chunks of %.200q are %.200q", p.JSON, got)
		}
	}
}

// FuzzCSV compares the reader of CSV with encoding/csv, which knows no line that ends with a carriage return alone.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\"\"y\"\n", "a,a\n1,NULL", "a\n\n\n", "", "a,b\n1", "\"a\nb\",c\n,", "\ufeffa\nb", "a\n\"", "a\nb\"", "é\n\x01", "a\r\n1\r2"} {
		f.Add([]byte(s))
	}
	r := write(f, "POST", "/items", request.CSV)
	f.Fuzz(func(t *testing.T, body []byte) {
		p := read(t, r, body)
		if p != nil && !json.Valid(p.Document()) {
			t.Fatalf("%q becomes %q", body, p.JSON)
		}
		if bytes.ContainsAny(body, "\r\x00") || !utf8.Valid(body) || bytes.HasPrefix(body, []byte("\n")) || bytes.HasPrefix(body, []byte("\ufeff")) {
			return
		}
		lines, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if (err == nil && len(lines) > 0) != (p != nil) {
			t.Fatalf("%q is taken: %v, by encoding/csv: %v", body, p != nil, err)
		}
		if p == nil {
			return
		}
		var got []map[string]any
		if err := json.Unmarshal(p.Document(), &got); err != nil {
			t.Fatal(err)
		}
		if want := rowsOfLines(lines); !reflect.DeepEqual(got, want) || p.Rows != len(want) {
			t.Fatalf("%q becomes %v, want %v", body, got, want)
		}
	})
}

func rowsOfLines(lines [][]string) []map[string]any {
	rows := []map[string]any{}
	for _, line := range lines[1:] {
		row := map[string]any{}
		for i, name := range lines[0] {
			row[name] = line[i]
			if line[i] == "NULL" {
				row[name] = nil
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// FuzzForm holds that a form means the same to a relation and to a function.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "a=1&b=2", "a=1&a=2;b", "a%20b=%22+", "%FF=1", "a=%00", "&&=&", "a=%"} {
		f.Add([]byte(s))
	}
	row, call := write(f, "POST", "/items", request.URLEncoded), write(f, "POST", "/rpc/f", request.URLEncoded)
	f.Fuzz(func(t *testing.T, body []byte) {
		p, args := read(t, row, body), read(t, call, body)
		if (p == nil) != (args == nil) {
			t.Fatalf("%q is taken by a relation: %v, by a function: %v", body, p != nil, args != nil)
		}
		if p == nil {
			return
		}
		want := map[string]string{}
		for _, field := range args.Fields {
			want[field.Name] = field.Value
		}
		var got map[string]string
		if err := json.Unmarshal(p.JSON, &got); err != nil || !maps.Equal(got, want) || !slices.Equal(p.Columns, args.Columns) {
			t.Fatalf("%q becomes %s %q, and %q %q (%v)", body, p.JSON, p.Columns, args.Fields, args.Columns, err)
		}
	})
}
