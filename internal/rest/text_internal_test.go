package rest

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestContentLocation(t *testing.T) {
	for _, c := range []struct{ name, query, want string }{
		{"item", "", "/item"},
		{"item", "&&", "/item"},
		{"item", "b=eq.1&a=eq.1", "/item?a=eq.1&b=eq.1"},
		{"item", "a=2&a=1&A=3", "/item?A=3&a=2&a=1"},
		{"item", "b&a=", "/item?a=&b="},
		{"item", "select=id,name(*)&x=a+b%2Bc%zz", "/item?select=id%2Cname%28%2A%29&x=a%20b%2Bc%25zz"},
		{"item", "%62=1&a=2", "/item?a=2&b=1"},
		{"item", "a=x;b=y", "/item?a=x&b=y"},
		{"ü /?\r\n", "", "/%C3%BC%20%2F%3F%0D%0A"},
		{"item", "a=\xff\"<>", "/item?a=%FF%22%3C%3E"},
		{"item", strings.Repeat("a=1&", 40), "/item?" + strings.TrimSuffix(strings.Repeat("a=1&", 40), "&")},
	} {
		if got := contentLocation(c.name, c.query); got != c.want {
			t.Errorf("%q %q: %s, want %s", c.name, c.query, got, c.want)
		}
	}
}

func FuzzContentLocation(f *testing.F) {
	f.Add("item", "a=1&b=%20;c=+&&%")
	f.Fuzz(func(t *testing.T, name, query string) {
		got := contentLocation(name, query)
		u, err := url.Parse("http://host" + got)
		if err != nil || u.Path != "/"+name || strings.ContainsAny(got, " \r\n<>\"") {
			t.Fatalf("%q: %v", got, err)
		}
		if again := contentLocation(name, u.RawQuery); again != got {
			t.Fatalf("canonical %q becomes %q", got, again)
		}
	})
}

func FuzzReference(f *testing.F) {
	f.Add("a>b\"c d%3e\\^`{|}\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := string(appendReference(nil, s))
		if unescape(got) != unescape(s) {
			t.Fatalf("%q means %q, not %q", got, unescape(got), unescape(s))
		}
		for i := range len(got) {
			if c := got[i]; c <= ' ' || c > '~' || c == '>' || c == '<' || c == '"' {
				t.Fatalf("%q has %q", got, c)
			}
		}
	})
}

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c", "\x00\x1f\x7f\u2028", "caf\xe9", "😀", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := appendJSON(nil, s)
		if err := json.Unmarshal(b, &got); err != nil || !utf8.Valid(b) {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.Join(strings.Split(string([]rune(s)), ""), ""); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b", "\"", "")
	f.Add(" x", "line\nbreak", "\\.")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, s := range []*string{&a, &b, &c} {
			*s = strings.ReplaceAll(*s, "\r\n", "\n") // which the reader does
		}
		text := appendCSVNames(nil, []string{a, b, c})
		text = appendCSVRow(text, [][]byte{[]byte(c), nil, []byte(a)})
		rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil || len(rows) != 2 || !slices.Equal(rows[0], []string{a, b, c}) || !slices.Equal(rows[1], []string{c, "", a}) {
			t.Fatalf("%q is read as %q, %v", text, rows, err)
		}
	})
}

func FuzzResponseHeaders(f *testing.F) {
	for _, s := range []string{`[{"A":"b"},{"a":"c"}]`, `[]`, `[{"A":"x\r\n"}]`, `[{"Content-Length":"1"}]`, `{"a":`, `[null]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		headers, err := parseHeaders([]byte(text))
		if err != nil {
			return
		}
		h := http.Header{}
		for _, kv := range headers {
			h.Add(kv[0], kv[1])
		}
		var wire strings.Builder
		if err := h.Write(&wire); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(wire.String(), "\r\n"); lines != len(headers) || strings.Count(wire.String(), "\n") != lines {
			t.Fatalf("%d headers make %q", len(headers), wire.String())
		}
	})
}

func TestEstimate(t *testing.T) {
	for explain, want := range map[string]int64{
		`[{"Plan": {"Plan Rows": 1234, "Plans": [{"Plan Rows": 9}]}}]`: 1234,
		`[{"Plan": {}}]`:  noTotal,
		`"Plan Rows": `:   noTotal,
		`"Plan Rows": 7`:  7,
		`"Plan Rows": x,`: noTotal,
	} {
		a := &answer{planned: noTotal}
		a.readEstimate([]byte(explain))
		if a.planned != want {
			t.Errorf("%s: %d, want %d", explain, a.planned, want)
		}
	}
}
