package slipstream_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream"
)

// scalarSQL has a table with every type that is bound as an array, with modifiers where it has some.
const scalarSQL = `
	create table scalar (
		i integer, b bigint unique, s smallint, n numeric, n62 numeric(6,2), r real, d double precision, yes boolean, t text, v varchar, v5 varchar(5) not null default '',
		day date, z timestamptz, ts timestamp, u uuid);
	create domain short as text check (length(value) < 5);
	create table other (i integer, j json, jb jsonb, a int[], c char(3), bits bit(3), span interval(0), late timestamptz(0), word short, x bytea, o box);
` + grantSQL

// scalarValues are JSON values that fit each of the columns, or nearly so.
var scalarValues = map[string][]string{
	"i": {`1`, `"2"`, `-0`, `2147483648`, `" 7 "`}, "b": {`1`, `2`, `"9223372036854775807"`, `9223372036854775808`}, "s": {`1`, `40000`},
	"n":   {`1`, `1e2`, `-0.50`, `"NaN"`, `1e-20`, `"Infinity"`, `"1_0"`},
	"n62": {`1.005`, `9999.994`, `9999.995`, `"NaN"`, `1e5`}, "r": {`1.1`, `1e39`, `"-inf"`}, "d": {`0.1`, `1e308`, `1e309`, `1e-400`},
	"yes": {`true`, `false`, `1`, `0`, `"on"`, `"t"`, `2`}, "t": {`""`, `"NULL"`, `null`, `"null"`, `"{}"`, `1.0`}, "v": {`"a,b"`, `" x "`},
	"v5": {`"12345"`, `"12345  "`, `"123456"`, `"äöüßé"`, `"äöüßé!"`, `null`}, "day": {`"2026-02-28"`, `"2026-02-30"`, `"infinity"`, `20260228`},
	"z": {`"2026-02-28T12:00:00Z"`, `"2026-02-28 12:00"`, `"-infinity"`, `"25:00"`}, "ts": {`"2026-02-28T12:00:00Z"`, `"epoch"`, `"294277-01-01"`},
	"u": {`"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`, `"{a0eebc999c0b4ef8bb6d6bb9bd380a11}"`, `"a0"`},
}

// wildValues may come in any column.
var wildValues = []string{
	`null`, `true`, `0`, `-1`, `1.5`, `1e1`, `""`, `" "`, `"\""`, `"\\"`, `"\\N"`, `"\\\"\\\\"`, `"a\tb\nc\r\b\f\/"`, `"\u0041\u00e9\ud83d\ude00"`, `"\u0001\u007f"`, `"é😀"`,
	`"NULL"`, `"NuLl"`, `"{1,2}"`, `"{"`, `"}"`, `","`, `"'"`, `"\u0000"`, `"\\u0000"`, `[]`, `{}`, `[1 , "a\"\\\u00e9" ]`, `{ "a" : [ null , {"b": "c\\d"} ] }`,
}

// scalarRows draws rows, a few of which have values that may not fit.
func scalarRows(t *rapid.T) (keys []string, rows [][]string) {
	columns := slices.Sorted(maps.Keys(scalarValues))
	keys = rapid.SliceOfNDistinct(rapid.SampledFrom(columns), 2, 5, rapid.ID).Draw(t, "keys")
	drawn := map[int]bool{}
	for _, at := range rapid.SliceOfN(rapid.IntRange(0, 119), 1, 3).Draw(t, "at") {
		drawn[at] = true
	}
	for i := range 120 {
		row := make([]string, len(keys))
		for j, key := range keys {
			switch {
			case !drawn[i] && key == "v5":
				row[j] = `"x"`
			case !drawn[i]:
				row[j] = `null`
			case rapid.IntRange(0, 3).Draw(t, "wild") == 0:
				row[j] = rapid.SampledFrom(wildValues).Draw(t, key)
			default:
				row[j] = rapid.SampledFrom(scalarValues[key]).Draw(t, key)
			}
		}
		rows = append(rows, row)
	}
	return keys, rows
}

// document writes the rows. turned has the last one begin with another key than the others: then it is not bound as arrays.
func document(keys []string, rows [][]string, turned bool) string {
	objects := make([]string, len(rows))
	for i, row := range rows {
		members := make([]string, len(keys))
		for j, key := range keys {
			members[j] = fmt.Sprintf("%q : %s", key, row[j])
		}
		if turned && i == len(rows)-1 {
			slices.Reverse(members)
		}
		objects[i] = "{" + strings.Join(members, ", ") + " }"
	}
	return "[ " + strings.Join(objects, ",\n") + " ]"
}

// Whether a payload is bound as arrays or as a document makes no difference: to the rows, nor to the words of an error.
func TestArraysAreLikeDocuments(t *testing.T) {
	s := serve(t, scalarSQL)
	done := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		keys, rows := scalarRows(rt)
		query := rapid.SampledFrom([]string{"", "", "?on_conflict=b"}).Draw(rt, "query")
		headers := []string{representation}
		if query != "" {
			headers = append(headers, rapid.SampledFrom([]string{"Prefer: resolution=merge-duplicates", "Prefer: resolution=ignore-duplicates"}).Draw(rt, "resolution"))
		}
		var answers, left [2]string
		for i, turned := range []bool{false, true} {
			s.exec("truncate api.scalar; insert into api.scalar (b) values (1)")
			a := s.write("POST", "/scalar"+query, document(keys, rows, turned), append(headers, "Prefer: count=exact")...)
			answers[i] = fmt.Sprintln(a.StatusCode, a.Header.Get("Content-Range"), a.Header.Get("Proxy-Status"), a.body)
			left[i] = s.value("select string_agg(r::text, ' ') from api.scalar r")
			done[a.StatusCode < 300]++
		}
		if answers[0] != answers[1] || left[0] != left[1] {
			rt.Fatalf("%q:\narrays   %s%s\ndocument %s%s", rows, answers[0], left[0], answers[1], left[1])
		}
	})
	t.Logf("%d writes were refused, %d not", done[false], done[true])
	if done[true] == 0 || done[false] == 0 {
		t.Error("it takes both")
	}
}

// Of a row that a constraint refuses and a later one with a value that is too long, a document has the value looked at first.
func TestArraysTellTheMistakeThatADocumentTells(t *testing.T) {
	s := serve(t, scalarSQL)
	row := `{"b":null,"v5":"x"},`
	a := s.write("POST", "/scalar", `[{"b":2,"v5":null},`+strings.Repeat(row, 120)+`{"b":1,"v5":"123456"}]`)
	if a.StatusCode != 400 || !strings.Contains(a.body, "22001") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// Which payloads are bound as arrays.
func TestArraysAreUsed(t *testing.T) {
	s := serve(t, scalarSQL, func(c *slipstream.Config) { c.DBPlanEnabled = true })
	many := func(n int, row string) string { return "[" + strings.Repeat(row+",", n-1) + row + "]" }
	var all []string
	for c := range scalarValues {
		all = append(all, fmt.Sprintf("%q:null", c))
	}
	for _, c := range []struct {
		path, body string
		headers    []string
		arrays     bool
	}{
		{"/scalar", many(100, "{"+strings.Join(all, ",")+"}"), nil, true},
		{"/scalar", many(99, `{"i":1}`), nil, false},
		{"/scalar", many(100, `{"i":1,"i":2}`), nil, false},
		{"/scalar", "[" + strings.Repeat(`{"i":1,"s":2},{"s":2,"i":1},`, 100) + `{"i":1,"s":1}]`, nil, false},
		{"/scalar", many(100, `{"t":"a\u0000"}`), nil, false},
		{"/scalar?columns=i", many(100, `{"i":1}`), nil, false},
		{"/scalar", many(100, `{"i":1}`), []string{"Prefer: missing=default"}, false},
		{"/scalar", "t,i\n" + strings.Repeat("NULL,2\n", 100), []string{"Content-Type: text/csv"}, true},
		{"/scalar", "i,i\n" + strings.Repeat("1,2\n", 100), []string{"Content-Type: text/csv"}, false},
		{"/other", many(100, `{"i":1}`), nil, true},
		{"/other", many(100, `{"j":1}`), nil, false}, {"/other", many(100, `{"jb":1}`), nil, false}, {"/other", many(100, `{"a":[1]}`), nil, false},
		{"/other", many(100, `{"c":"a"}`), nil, false}, {"/other", many(100, `{"bits":"101"}`), nil, false}, {"/other", many(100, `{"span":"1 day"}`), nil, false},
		{"/other", many(100, `{"late":"2026-01-01"}`), nil, false}, {"/other", many(100, `{"word":"a"}`), nil, false},
		{"/other", many(100, `{"x":"\\x00"}`), nil, false}, {"/other", many(100, `{"o":"((0,0),(1,1))"}`), nil, false},
	} {
		a := s.write("POST", c.path, c.body, append(c.headers, "Accept: application/vnd.pgrst.plan")...)
		if got := strings.Contains(a.body, "ProjectSet"); a.StatusCode != 200 || got != c.arrays {
			t.Errorf("%s %.60s %v: %d, arrays: %v\n%s", c.path, c.body, c.headers, a.StatusCode, got, a.body)
		}
	}
}

// In the transaction of a batch there is no second try, and the words of an error are the same all the same.
func TestManyRowsInABatch(t *testing.T) {
	s := serve(t, scalarSQL)
	rows := strings.Repeat(`{"i":1,"s":1},`, 100) + `{"i":"one","s":"two"}`
	alone := s.write("POST", "/scalar", "["+rows+"]")
	batch := s.write("POST", "/", `{"operations":[{"method":"POST","path":"/scalar","body":[`+rows+`]}]}`, "Content-Type: application/vnd.slipstream.batch+json")
	if alone.StatusCode != 400 || batch.StatusCode != 400 || !strings.Contains(batch.body, alone.body) || !strings.Contains(alone.body, `\"one\"`) {
		t.Errorf("alone %d %s, in a batch %d %s", alone.StatusCode, alone.body, batch.StatusCode, batch.body)
	}
}

// What is not bound as arrays is not done again when it fails.
func TestManyRowsAreDoneOnce(t *testing.T) {
	s := serve(t, scalarSQL+`
		create sequence tries; create table failing (j json);
		create function fail() returns trigger language plpgsql as $$ begin perform nextval('api.tries'); raise division_by_zero; end $$;
		create trigger fail before insert on failing for each row execute function fail();
		create function failing(json) returns int language plpgsql as $$ begin perform nextval('api.tries'); raise division_by_zero; end $$;`+grantSQL)
	rows := "[" + strings.Repeat(`{"j":1},`, 99) + `{"j":1}]`
	for _, path := range []string{"/failing", "/rpc/failing"} {
		s.exec("alter sequence api.tries restart")
		if a := s.write("POST", path, rows); !strings.Contains(a.body, "22012") {
			t.Errorf("%s: %s", path, a.body)
		}
		if got := s.value("select nextval('api.tries')"); got != "2" {
			t.Errorf("%s is done %s times, less one", path, got)
		}
	}
}

// A write that is done again as a document keeps its Idempotency-Key, and what is refused leaves the key unused.
func TestManyRowsWithAKey(t *testing.T) {
	s := serveOnce(t, scalarSQL)
	rows := "[" + strings.Repeat(`{"i":1,"s":1},`, 100) + `{"i":VALUE,"s":"two"}]`
	for range 2 {
		a := s.write("POST", "/scalar", strings.ReplaceAll(rows, "VALUE", `"one"`), key, s.ann())
		a.check(t, 400, `{"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"one\""}`, executed)
	}
	rows = strings.ReplaceAll(strings.ReplaceAll(rows, "VALUE", "1"), `"two"`, "2")
	s.write("POST", "/scalar", rows, key, s.ann()).check(t, 201, "", executed)
	s.write("POST", "/scalar", rows, key, s.ann()).check(t, 201, "", replayed)
	if got := s.value("select count(*) from api.scalar"); got != "101" {
		t.Errorf("%s rows", got)
	}
}
