package idemkey_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/idemkey"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ value, key, problem string }{
		{"5f0c6a5e-7f3b-4f0e-9b8e-1c2d3e4f5a6b", "5f0c6a5e-7f3b-4f0e-9b8e-1c2d3e4f5a6b", ""},
		{"  Zm9v+/==\t", "Zm9v+/==", ""},
		{`"5f0c"`, "5f0c", ""},
		{`"a, b; \"c\" \\"`, `a, b; "c" \`, ""},
		{strings.Repeat("k", 255), strings.Repeat("k", 255), ""},
		{"", "", "it is empty"},
		{`""`, "", "it is empty"},
		{strings.Repeat("k", 256), "", "it is longer than 255 bytes"},
		{"a, b", "", `it has the character ",", which needs quotes around the key`},
		{"a;b=c", "", `it has the character ";", which needs quotes around the key`},
		{"ü", "", `it has the character "\xc3", which needs quotes around the key`},
		{`"ü"`, "", "it has a character that is not printable ASCII"},
		{`"a`, "", "its closing quote is missing"},
		{`"a\"`, "", "its closing quote is missing"},
		{`"`, "", "its closing quote is missing"},
		{`"a\`, "", "it has a backslash before neither a quote nor a backslash"},
		{`"\n"`, "", "it has a backslash before neither a quote nor a backslash"},
		{`"a", "b"`, "", "there is something behind its closing quote"},
		{`"a";b=c`, "", "there is something behind its closing quote"},
	} {
		key, err := idemkey.Parse([]string{c.value})
		if problem := text(err); key != c.key || problem != c.problem {
			t.Errorf("%s: %q, %q; want %q, %q", c.value, key, problem, c.key, c.problem)
		}
	}
	if _, err := idemkey.Parse([]string{"a", "a"}); text(err) != "it is there 2 times" {
		t.Error(err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A key is some printable ASCII, and is the same when it is sent in quotes.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"5f0c", `"5f0c"`, `"a\\b\"c"`, `"a\`, "", "a,b", "\"\x00\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := idemkey.Parse([]string{value})
		if err != nil {
			if key != "" {
				t.Errorf("a key and an error: %q, %v", key, err)
			}
			return
		}
		if key == "" || len(key) > idemkey.MaxLength || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is taken for %q", value, key)
		}
		again, err := idemkey.Parse([]string{strconv.Quote(key)}) // for printable ASCII, Go's quotes are RFC 9651's
		if err != nil || again != key {
			t.Errorf("%q in quotes is %q, %v", key, again, err)
		}
	})
}
