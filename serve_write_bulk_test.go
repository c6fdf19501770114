package slipstream_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A hundred thousand rows are one statement, and take a small multiple of the body's memory.
func TestBulkInsert(t *testing.T) {
	const rows, most = 100_000, 8 // times the body
	s := serve(t, `create table item (id int primary key, name text not null, price numeric, note text);`+grantSQL)
	var document, csv strings.Builder
	csv.WriteString("id,name,price,note\n")
	for i := range rows {
		fmt.Fprintf(&document, `%c{"id":%d,"name":"item %d","price":%d.5,"note":"some more text"}`, "[,"[min(i, 1)], i, i, i)
		fmt.Fprintf(&csv, "%d,item %d,%d.5,some more text\n", i, i, i)
	}
	document.WriteByte(']')
	for _, c := range []struct {
		name, body string
		headers    []string
	}{
		{"JSON", document.String(), nil},
		{"defaults", document.String(), []string{"Prefer: missing=default"}},
		{"CSV", csv.String(), []string{"Content-Type: text/csv"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.exec("truncate api.item")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s.write("POST", "/item", c.body, append(c.headers, "Prefer: count=exact")...).check(t, 201, "", fmt.Sprint("Content-Range: */", rows))
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(c.body)); got > most {
				t.Errorf("allocates %d times the body", got)
			}
		})
	}
	if got := s.value(`select count(*) || ' ' || sum(price) || ' ' || count(distinct name) from api.item`); got != "100000 5000000000.0 100000" {
		t.Error(got)
	}
	// One row in the way, and none is written.
	s.exec("delete from api.item where id <> 77777")
	s.write("POST", "/item", document.String()).check(t, 409, "*")
	if got := s.value("select count(*) from api.item"); got != "1" {
		t.Errorf("%s rows", got)
	}
}
