package main

import (
	"slices"
	"strings"
	"testing"
)

func TestScript(t *testing.T) {
	ref := reference{main: statement{
		sql:  `select $2::text, id from t where id = $1 and name = $3 limit $10`,
		args: []string{keyMark, "it's", "{a,\"b\"}", "4", "5", "6", "7", "8", "9", "25"},
	}}
	got, err := ref.script(keyRange{3, 70})
	if err != nil {
		t.Fatal(err)
	}
	const text = "\\set key random(3, 70)\nselect :v1::text, id from t where id = :key and name = :v2 limit :v3;\n"
	if got.text != text || !slices.Equal(got.constants, []string{"it's", `{a,"b"}`, "25"}) {
		t.Errorf("script %q with %q", got.text, got.constants)
	}
	ref.settings = statement{sql: "select set_config('role', $1, true)", args: []string{"me"}}
	if got, err = ref.script(keyRange{3, 70}); err != nil {
		t.Fatal(err)
	}
	const settings = "select set_config('role', :v4, true);\n"
	if !strings.Contains(got.text, "\\startpipeline\n"+settings) || !strings.HasSuffix(got.text, "limit :v3;\n\\endpipeline\n") || got.constants[3] != "me" {
		t.Errorf("script %q with %q", got.text, got.constants)
	}
}

// TestScriptRefuses what pgbench would not send as it is.
func TestScriptRefuses(t *testing.T) {
	for sql, want := range map[string]string{
		"select 'a:b'":      "misread",
		":x":                "misread",
		`select '\'`:        "misread",
		"select 1; drop":    "misread",
		"select $1, $2":     "no argument for $2",
		"select $0":         "no argument for $0",
		"select a[1 :2], 1": "misread",
	} {
		_, err := reference{main: statement{sql: sql, args: []string{"1"}}}.script(keyRange{1, 2})
		wantError(t, sql, err, want)
		_, err = reference{main: statement{sql: "select"}, settings: statement{sql: sql, args: []string{"1"}}}.script(keyRange{1, 2})
		wantError(t, sql, err, want)
	}
	if _, err := (reference{main: statement{sql: "select ':', x::text, '{\"a\":\"b\"}'"}}).script(keyRange{1, 2}); err != nil {
		t.Error(err)
	}
}

func TestTemplate(t *testing.T) {
	for _, sc := range scenarios() {
		got := template("127.0.0.1:3000", sc)
		head := sc.verb() + " " + sc.path + " HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n"
		if !strings.HasPrefix(got, head) || !strings.HasSuffix(got, "\r\n\r\n"+sc.body) || strings.Count(got, keyMark) != 1 {
			t.Errorf("%s: %.300q", sc.name, got)
		}
		if sc.asCustomer != strings.Contains(got, "Authorization: Bearer {key}\r\n") || (sc.prefer != "") != strings.Contains(got, "Prefer: ") {
			t.Errorf("%s: %q", sc.name, got)
		}
	}
}

func TestSample(t *testing.T) {
	for _, c := range []struct {
		keys keyRange
		n    int
		want []int
	}{
		{keyRange{1, 100}, 4, []int{1, 34, 67, 100}},
		{keyRange{5, 6}, 8, []int{5, 6}},
		{keyRange{7, 7}, 8, []int{7}},
	} {
		if got := c.keys.sample(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%v.sample(%d) = %v, want %v", c.keys, c.n, got, c.want)
		}
	}
}
