package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// The statement in full, of which golden cases leave out a part.
func TestStatement(t *testing.T) {
	c := newCinema(t)
	p, _ := c.mustPlan(t, "/actors?select=id", defaults)
	const want = `SELECT null::bigint AS total, pg_catalog.count(*) AS rows, ` +
		`coalesce(json_agg(slip_page.*), '[]') AS body, ` +
		`nullif(current_setting('response.headers', true), '') AS response_headers, ` +
		`nullif(current_setting('response.status', true), '') AS response_status ` +
		`FROM (SELECT "actors"."id" FROM "api"."actors" AS "actors") slip_page`
	if p.SQL != want {
		t.Errorf("got %s\nwant %s", p.SQL, want)
	}
}

// What functions set for the answer comes with the rows.
func TestResponseSettings(t *testing.T) {
	c := open(t, `create schema api; create schema other; create table api.t (id int);
		create function api.f() returns int language plpgsql stable as $$ begin
			perform set_config('response.headers', '[{"X-A": "b"}]', true), set_config('response.status', '202', true);
			return 1; end $$`)
	p, r := c.mustPlan(t, "/rpc/f", defaults)
	got, err := c.run(t, p.SQL, p.Bind(nil, r, defaults, nil))
	if err != nil {
		t.Fatal(err)
	}
	row := got.rows[0]
	if *row[plan.ColumnBody] != "1" || *row[plan.ColumnHeaders] != `[{"X-A": "b"}]` || *row[plan.ColumnStatus] != "202" {
		t.Errorf("got %s", join(row))
	}
}

func TestDeepNesting(t *testing.T) {
	c := newCinema(t)
	const depth = 100
	target := "/people?id=eq.4&select=name," + strings.Repeat("boss_id(name,", depth) + "id" + strings.Repeat(")", depth)
	p, r := c.mustPlan(t, target, defaults)
	c.exec(t, "set join_collapse_limit to 1")
	got, err := c.run(t, p.SQL, p.Bind(nil, r, defaults, nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"name":"Dot","boss_id":{"name": "Bob", "boss_id": {"name": "Ann", "boss_id": null}}}]`
	if body := *got.rows[0][plan.ColumnBody]; body != want {
		t.Errorf("got %s", body)
	}
}

func TestManyEmbedsOfOneTable(t *testing.T) {
	c := newCinema(t)
	var embeds, filters []string
	for i := range 10 {
		embeds = append(embeds, fmt.Sprintf("e%d:films(id)", i))
		filters = append(filters, fmt.Sprintf("e%d.id=eq.%d", i, i))
	}
	p, r := c.mustPlan(t, "/directors?id=eq.2&select="+strings.Join(embeds, ",")+"&"+strings.Join(filters, "&"), defaults)
	got, err := c.run(t, p.SQL, p.Bind(nil, r, defaults, nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"e0":[],"e1":[],"e2":[{"id": 2}],"e3":[{"id": 3}],"e4":[],"e5":[],"e6":[],"e7":[],"e8":[],"e9":[]}]`
	if body := *got.rows[0][plan.ColumnBody]; body != want {
		t.Errorf("got %s", body)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{`a`: `"a"`, `a"b`: `"a""b"`, "a\x00b": `"a"`, `a\b`: `"a\b"`, "": `""`} {
		if got := plan.QuoteIdent(in); got != want {
			t.Errorf("QuoteIdent(%q) = %s, want %s", in, got, want)
		}
	}
	if got := plan.QuoteName(schema.Name{Schema: `s"`, Name: "t"}); got != `"s"""."t"` {
		t.Error(got)
	}
	if got := plan.QuoteName(schema.Name{Name: "t"}); got != `"t"` {
		t.Error(got)
	}
}

// OPTIONS looks relations and functions up without planning.
func TestLookups(t *testing.T) {
	c := newCinema(t)
	for target, want := range map[string]string{"/films": "", "/filmz": "PGRST205", "/rpc/add?a=1": "", "/rpc/add": "PGRST202", "/rpc/twice?a=1": "PGRST203"} {
		r, err := parse("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(target, "/rpc/") {
			_, err = plan.Function(c.snapshot, r)
		} else {
			_, err = plan.Relation(c.snapshot, r)
		}
		code := ""
		if e := apierr.From(err); e != nil {
			code = e.Code
		}
		if code != want {
			t.Errorf("%s: %v, want %q", target, err, want)
		}
	}
}
