package request_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/request"
)

// elements takes the text of a PostgreSQL array apart as its input function does; nil is NULL.
func elements(t *testing.T, text string) (list []*string) {
	t.Helper()
	rest, ok := strings.CutPrefix(text, "{")
	for ok && rest != "" {
		var element []byte
		quoted := rest[0] == '"'
		i := 0
		for inside := quoted; inside || rest[i] != ',' && rest[i] != '}'; i++ {
			switch c := rest[i]; {
			case c == '\\':
				i++
				element = append(element, rest[i])
			case c == '"' && i > 0:
				inside = false
			case c != '"':
				element = append(element, c)
			}
		}
		value := string(element)
		list = append(list, &value)
		if !quoted && strings.EqualFold(value, "NULL") {
			list[len(list)-1] = nil
		}
		if rest[i] == '}' {
			rest, ok = rest[i+1:], rest[i+1:] == ""
			continue
		}
		rest = rest[i+1:]
	}
	if !ok {
		t.Fatalf("%q is no array", text)
	}
	return list
}

// asText is what json_to_recordset gives the input function of a scalar type.
func asText(t *testing.T, value string) *string {
	t.Helper()
	text := strings.Trim(value, " \t\r\n")
	switch text[0] {
	case 'n':
		return nil
	case '"':
		if err := json.Unmarshal([]byte(value), &text); err != nil {
			t.Fatal(err)
		}
	}
	return &text
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// FuzzArrays compares the elements of arrays with what encoding/json finds in the rows.
func FuzzArrays(f *testing.F) {
	for _, s := range [][2]string{
		{`1`, `null`}, {`"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00,{}"`, ` [1, {"a" : "\\"}] `}, {`"NULL"`, `""`}, {`{"a":1,"b":2}`, `"\\u0000"`}, {`-1.5e+7`, `true`}, {`"é"`, `"}"`},
	} {
		f.Add(s[0], s[1])
	}
	const rows = 100
	r := write(f, "POST", "/items", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		if !wellFormed([]byte(first)) || !wellFormed([]byte(second)) {
			t.Skip()
		}
		body := `[{"b":` + first + `,"a":` + second + strings.Repeat(`} , {"b":`+second+`,"a":`+first, rows-1) + `}]`
		p := read(t, r, []byte(body))
		if p == nil || p.Columnar == strings.Contains(body, `\u0000`) {
			t.Fatalf("%q: %+v", body, p)
		}
		if !p.Columnar {
			return
		}
		for i, text := range p.Arrays() {
			want := slices.Repeat([]*string{asText(t, []string{first, second}[i])}, rows)
			want[0] = asText(t, []string{second, first}[i])
			if got := elements(t, string(text)); !slices.EqualFunc(got, want, same) {
				t.Fatalf("column %d of %q is %.300s", i, body[:len(body)/rows], text)
			}
		}
	})
}

// The order of the keys of CSV and JSON is that of the first row, whatever that of the columns is.
func TestArraysOfManyColumns(t *testing.T) {
	for contentType, body := range map[string]string{
		request.CSV:  "c,\"a\"\"\",b\n" + strings.Repeat("3,1,2\n", 200),
		request.JSON: "[" + strings.Repeat(`{"c":"3","a\"":"1","\u0062":"2"},`, 199) + `{"c":"3","a\"":"1","\u0062":"2"}]`,
	} {
		p, err := write(t, "POST", "/items", contentType).ReadPayload([]byte(body))
		if err != nil || !p.Columnar {
			t.Fatalf("%+v, %v", p, err)
		}
		for i, text := range p.Arrays() {
			want := strings.Repeat(`,"`+string("123"[i])+`"`, 200)[1:]
			if string(text) != "{"+want+"}" {
				t.Errorf("%s: column %s is %s", contentType, p.Columns[i], text)
			}
		}
	}
}

// FuzzArraysOfCSV compares the arrays of CSV with those of the JSON that it becomes.
func FuzzArraysOfCSV(f *testing.F) {
	for _, line := range []string{`1,"a,""b"""`, `NULL,"NULL"`, `"",`, "\"a\nb\", x ", "\\,\"\\\"\"\\\"", "é\x01,{}", "1,2\r"} {
		f.Add(line)
	}
	lines, rows := write(f, "POST", "/items", request.CSV), write(f, "POST", "/items", "")
	f.Fuzz(func(t *testing.T, line string) {
		body := "y,x\n" + strings.Repeat(line+"\n", 100)
		p := read(t, lines, []byte(body))
		if p == nil || p.Rows < 100 {
			t.Skip()
		}
		got := p.Arrays()
		q := read(t, rows, p.Document())
		if q == nil || !p.Columnar || !q.Columnar && !strings.Contains(line, `\u0000`) || p.Rows != q.Rows || !slices.Equal(p.Columns, q.Columns) {
			t.Fatalf("%q: %d rows, %q: %+v", body, p.Rows, p.Document(), q)
		}
		if !q.Columnar {
			return
		}
		for i, want := range q.Arrays() {
			if !slices.EqualFunc(elements(t, string(got[i])), elements(t, string(want)), same) {
				t.Fatalf("column %d of %q is %s, of JSON %s", i, body, got[i], want)
			}
		}
	})
}
