package slipstream_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

const bulkRows = 100_000

// bulkBodies are rows for the table item, as JSON and as CSV. change may make others of them.
func bulkBodies(change func(row int, id, price string) (string, string)) (document, csv string) {
	var j, c strings.Builder
	c.WriteString("id,name,price,note\n")
	for i := range bulkRows {
		id, price := fmt.Sprint(i), fmt.Sprint(i, ".5")
		if change != nil {
			id, price = change(i, id, price)
		}
		fmt.Fprintf(&j, `%c{"id":%s,"name":"item %d","price":%s,"note":"some more text"}`, "[,"[min(i, 1)], id, i, price)
		fmt.Fprintf(&c, "%s,item %d,%s,some more text\n", id, i, price)
	}
	return j.String() + "]", c.String()
}

const bulkSQL = `
	create table item (id int primary key, name text not null, price numeric(12,2) check (price >= 0), note text, owner text default 'somebody');
	create view cheap as select id, name, price, note from item where price < 1000000 with check option;
	create table owned (id int primary key, name text not null, price numeric, note text, owner name not null default current_user);
	alter table owned enable row level security;
	create policy own on owned using (owner = current_user) with check (owner = current_user and (current_user = 'MEMBER' or id <> 99999));` + grantSQL

// A hundred thousand rows are one statement, and take a small multiple of the body's memory.
func TestBulkInsertMemory(t *testing.T) {
	s := serve(t, bulkSQL)
	document, csv := bulkBodies(nil)
	for _, c := range []struct {
		name, body string
		headers    []string
		most       float64 // bytes, times those of the body
	}{
		{"JSON", document, nil, 2.75},
		{"JSON with defaults", document, []string{"Prefer: missing=default"}, 1.5},
		{"CSV", csv, []string{"Content-Type: text/csv"}, 3.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.exec("truncate api.item")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s.write("POST", "/item", c.body, append(c.headers, "Prefer: count=exact")...).check(t, 201, "", fmt.Sprint("Content-Range: */", bulkRows))
			runtime.ReadMemStats(&after)
			if got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(c.body)); got > c.most {
				t.Errorf("allocates %.2f times the body", got)
			}
			if got := after.Mallocs - before.Mallocs; got > bulkRows/20 {
				t.Errorf("%d allocations", got)
			}
		})
	}
}

func TestBulkInserts(t *testing.T) {
	s := serve(t, bulkSQL)
	document, csv := bulkBodies(nil)
	const whole = "100000 5000000000.00 100000 4999950000"
	look := func(table string) string {
		return s.value("select count(*) || ' ' || sum(price)::numeric(20,2) || ' ' || count(distinct name) || ' ' || sum(id) from api." + table)
	}
	const ignore, merge = "Prefer: resolution=ignore-duplicates", "Prefer: resolution=merge-duplicates"
	for _, c := range []struct {
		name, path string
		before     string
		headers    []string
		status     int
		counted    string // of the rows written
		left       string
	}{
		{"plain", "/item", "", nil, 201, "100000", whole},
		{"view", "/cheap", "", nil, 201, "100000", whole},
		{"policies", "/owned", "", []string{s.bearer()}, 201, "100000", whole},
		{"policies refuse", "/owned", "", nil, 401, "", ""},
		{"rows returned", "/item?select=id,owner", "", []string{representation}, 201, "100000", whole},
		{"defaults", "/item", "", []string{"Prefer: missing=default"}, 201, "100000", whole},
		{"ignore", "/item", "insert into api.item values (7, 'item 7', 0)", []string{ignore}, 201, "99999", "100000 4999999992.50 100000 4999950000"},
		{"merge", "/item", "insert into api.item values (7, 'seven', 0)", []string{merge}, 201, "100000", whole},
		{"merge all", "/item", "insert into api.item select i, 'x' from generate_series(0, 99999) i", []string{merge}, 200, "100000", whole},
	} {
		for format, body := range map[string]string{"application/json": document, "text/csv": csv} {
			if format == "text/csv" && c.headers != nil {
				continue // it has become the same payload
			}
			t.Run(c.name+" "+format, func(t *testing.T) {
				s.exec("truncate api.item, api.owned; " + c.before)
				a := s.write("POST", c.path, body, append(c.headers, "Content-Type: "+format, "Prefer: count=exact")...)
				if a.StatusCode != c.status {
					t.Fatalf("%d %.300s", a.StatusCode, a.body)
				}
				if c.counted != "" {
					a.check(t, c.status, "*", "Content-Range: */"+c.counted)
				}
				if c.name == "rows returned" && (strings.Count(a.body, `"owner":"somebody"`) != bulkRows || !strings.Contains(a.body, `{"id":99999,`)) {
					t.Errorf("it answers %.100s…", a.body)
				}
				if got := look(map[bool]string{true: "owned", false: "item"}[c.path == "/owned"]); got != c.left {
					t.Errorf("it leaves %s", got)
				}
			})
		}
	}
}

// One row that cannot be, and none is written.
func TestBulkInsertsWithOneBadRow(t *testing.T) {
	s := serve(t, bulkSQL)
	const bad = 77_777
	for _, c := range []struct {
		path, id, price string
		status          int
		says            string
	}{
		{"/item", "99999999999", "1", http.StatusBadRequest, `"message":"value \"99999999999\" is out of range for type integer"`},
		{"/item", "1.5", "1", http.StatusBadRequest, `"message":"invalid input syntax for type integer: \"1.5\""`},
		{"/item", "7", "1", http.StatusConflict, `"details":"Key (id)=(7) already exists."`},
		{"/item", fmt.Sprint(bad), "-1", http.StatusBadRequest, `"details":"Failing row contains (77777, item 77777, -1.00, some more text, `},
		{"/item", fmt.Sprint(bad), "99999999999.5", http.StatusBadRequest, `"message":"numeric field overflow"`},
		{"/cheap", fmt.Sprint(bad), "1000000", http.StatusBadRequest, `"code":"44000"`},
	} {
		document, csv := bulkBodies(func(row int, id, price string) (string, string) {
			if row == bad {
				return c.id, c.price
			}
			return id, price
		})
		for format, body := range map[string]string{"application/json": document, "text/csv": csv} {
			a := s.write("POST", c.path, body, "Content-Type: "+format)
			if a.StatusCode != c.status || !strings.Contains(a.body, c.says) {
				t.Errorf("%s, id %s, price %s, %s: %d %s", c.path, c.id, c.price, format, a.StatusCode, a.body)
			}
			if got := s.value("select count(*) from api.item"); got != "0" {
				t.Fatalf("%s rows", got)
			}
		}
	}
}
