package plan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/plan"
)

// pagesScript makes a table with a column of every kind that an order can have, each with few values, so that there are ties.
const pagesScript = `
create schema api;
create schema other;
create type api."Mood of" as enum ('calm', 'tense', 'funny');
create domain api.short as varchar(5);
create type api.pair as (d date, n int);
create table api.pages (
  id int primary key,
  code uuid not null unique,
  "small int" int, big bigint not null, num numeric(10, 3), txt text, fixed char(4) not null, var varchar(7),
  uni text collate "C", flag boolean, dbl double precision, sing real, bin bytea, mood api."Mood of", dom api.short,
  day date, at timestamp not null, atz timestamptz, tod time, todz timetz, span interval, price money,
  words text[], days date[], during daterange, spans tstzrange, doc jsonb, pair api.pair, bits bit(3), vbits varbit,
  addr inet, one "char");
insert into api.pages select g, md5(g::text)::uuid,
  v[1], coalesce(v[2], 7) * 10000000000, v[3] / 7.0, 'é' || v[4], coalesce(v[5], 3)::text, 'v' || v[6],
  chr(64 + v[7]), v[8] % 2 = 0,
  case v[9] when 0 then 'NaN' when 1 then 'Infinity' when 2 then '-0' when 3 then 0 else 1 / v[9]::float8 end,
  1 / nullif(v[10], 0)::real, decode(to_hex(v[11] + 16), 'hex'), (enum_range(null::api."Mood of"))[v[12] % 4],
  'd' || v[13],
  case v[14] when 0 then '-infinity'::date when 1 then '0044-03-15 BC' else date '1999-12-31' + v[14] end,
  timestamp '2024-03-31 00:30:00.123456' + coalesce(v[15], 0) * interval '1 hour',
  timestamptz '2024-10-27 00:30:00.5+00' + v[16] * interval '30 minutes', time '12:00' + v[17] * interval '1 microsecond',
  ('12:00' || case when v[18] > 2 then '+02' else '-03:30' end)::timetz,
  case v[19] when 0 then interval '-1 day 2 hours' when 1 then interval '1 mon -3 days' else v[19] * interval '36 hours' end,
  (v[20] * 12.34)::numeric::money, array['a"' || v[21], null, '{}'], array[date '2001-02-03' + v[22], null],
  daterange(date '2001-02-03' + v[23], null), tstzrange(timestamptz '2001-02-03 04:05:06+00', timestamptz '2002-02-03 04:05:06+00' + v[24] * interval '1 day'),
  to_jsonb(v[25]), row(date '2001-02-03' + v[26], v[26])::api.pair, v[27]::bit(3), v[28]::bit(5)::varbit,
  ('10.0.0.' || v[29])::inet, chr(64 + v[30])::"char"
from generate_series(1, 40) g,
  lateral (select array_agg(case when random() < 0.2 then null else floor(random() * 5)::int end) v from generate_series(1, 30) where g > 0) r;
analyze`

var pagesColumns = []string{
	"id", "code", "small int", "big", "num", "txt", "fixed", "var", "uni", "flag", "dbl", "sing", "bin", "mood", "dom", "day", "at",
	"atz", "tod", "todz", "span", "price", "words", "days", "during", "spans", "doc", "pair", "bits", "vbits", "addr", "one",
}

// sessions are settings that the texts of values depend on.
var sessions = []string{
	"set datestyle to 'iso, mdy'; set intervalstyle to 'postgres'; set extra_float_digits to 1; set timezone to 'UTC'; set bytea_output to 'hex'",
	"set datestyle to 'german, dmy'; set intervalstyle to 'sql_standard'; set extra_float_digits to 0; set timezone to 'America/New_York'; set bytea_output to 'escape'",
	"set datestyle to 'sql, dmy'; set intervalstyle to 'iso_8601'; set extra_float_digits to -5; set timezone to 'Asia/Kolkata'",
	"set datestyle to 'postgres, mdy'; set intervalstyle to 'postgres_verbose'; set extra_float_digits to 3; set timezone to 'Europe/Berlin'",
}

// page is one page of a walk.
type page struct {
	ids         []int
	first, last []*string
	more        bool
}

// walker reads the cursor pages of a query.
type walker struct {
	*cinema
	query   string
	session func() string
}

func (w *walker) page(t testing.TB, backward bool, from []*string) page {
	t.Helper()
	query := w.query
	if from != nil {
		query += "&cursor=x"
	}
	r, err := parse("GET", query, map[string][]string{"Prefer": {"pagination=cursor"}})
	if err != nil {
		t.Fatal(err)
	}
	var key [][]byte
	if from != nil {
		key = putCursor(r, backward, from)
	}
	p, err := plan.New(w.snapshot, r, defaults)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	settings := w.session()
	for _, s := range p.Keyset.Settings {
		settings += fmt.Sprintf("; set %s to '%s'", s.Name, s.Value)
	}
	if _, err := w.conn.Exec(context.Background(), settings).ReadAll(); err != nil {
		t.Fatal(err)
	}
	got, err := w.run(t, p.SQL, p.Bind(nil, r, defaults, key))
	if err != nil {
		t.Fatalf("%s: %v in\n%s", query, err, p.SQL)
	}
	var out page
	var rows []struct{ ID int }
	unmarshal(t, *got.rows[0][plan.ColumnBody], &rows)
	for _, row := range rows {
		out.ids = append(out.ids, row.ID)
	}
	unmarshal(t, *got.rows[0][plan.ColumnKeyset], &[]any{&out.first, &out.last, &out.more})
	return out
}

func unmarshal(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// drawOrder draws order= and what ORDER BY says of it, with the key that makes it total.
func drawOrder(t *rapid.T) (query, sql string) {
	var terms, by []string
	last := ""
	for _, c := range rapid.SliceOfN(rapid.SampledFrom(pagesColumns), 0, 4).Draw(t, "columns") {
		direction := rapid.SampledFrom([]string{"", "asc", "desc"}).Draw(t, "direction")
		nulls := rapid.SampledFrom([]string{"", "first", "last"}).Draw(t, "nulls")
		term, expression := c, `"`+c+`" `+direction
		if direction != "" {
			term += "." + direction
		}
		if nulls != "" {
			term += ".nulls" + nulls
			expression += " nulls " + nulls
		}
		terms = append(terms, term)
		if !slices.ContainsFunc(by, func(e string) bool { return strings.HasPrefix(e, `"`+c+`"`) }) {
			by, last = append(by, expression), direction
		}
	}
	query = "/pages?select=id"
	if len(terms) > 0 {
		query += "&order=" + strings.Join(terms, ",")
	}
	return query, strings.Join(append(by, "id "+last), ", ")
}

func TestCursorPagesAreTheOrderedResult(t *testing.T) {
	c := open(t, pagesScript)
	rapid.Check(t, func(rt *rapid.T) {
		query, by := drawOrder(rt)
		w := &walker{c, fmt.Sprintf("%s&limit=%d", query, rapid.IntRange(2, 15).Draw(rt, "limit")), func() string {
			return rapid.SampledFrom(sessions).Draw(rt, "session")
		}}
		want := c.ids(t, "select id from api.pages order by "+by)
		pages := []page{w.page(t, false, nil)}
		got := slices.Clone(pages[0].ids)
		for last := pages[0]; last.more; pages = append(pages, last) {
			last = w.page(t, false, last.last)
			got = append(got, last.ids...)
			if len(got) > len(want) {
				break
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%s\n got %v\nwant %v", query, got, want)
		}
		w.back(rt, t, pages)
	})
}

// back walks from the last page to the first.
func (w *walker) back(rt *rapid.T, t *testing.T, pages []page) {
	from := pages[len(pages)-1].first
	for i := len(pages) - 2; i >= 0; i-- {
		p := w.page(t, true, from)
		if !slices.Equal(p.ids, pages[i].ids) || p.more != (i > 0) {
			rt.Fatalf("%s: back on page %d\n got %v\nwant %v", w.query, i, p.ids, pages[i].ids)
		}
		from = p.last // the page's first row: the way is backward
	}
	if before := w.page(t, true, pages[0].first); len(before.ids) > 0 || before.more {
		rt.Fatalf("%s: %v before the first page", w.query, before.ids)
	}
}

func (c *cinema) ids(t testing.TB, sql string) []int {
	t.Helper()
	r, err := c.run(t, sql, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, row := range r.rows {
		var id int
		unmarshal(t, *row[0], &id)
		ids = append(ids, id)
	}
	return ids
}

// Rows that come and go between two pages make no other row appear twice or not at all.
func TestCursorPagesWhileRowsChange(t *testing.T) {
	c := open(t, pagesScript)
	c.exec(t, "set default_transaction_read_only to off; set timezone to 'UTC'")
	next := 1000
	rapid.Check(t, func(rt *rapid.T) {
		query, _ := drawOrder(rt)
		w := &walker{c, query + "&limit=8", func() string { return sessions[0] }}
		seen := map[int]int{}
		stable := map[int]bool{}
		for _, id := range c.ids(t, "select id from api.pages") {
			stable[id] = true
		}
		for p := w.page(t, false, nil); ; p = w.page(t, false, p.last) {
			for _, id := range p.ids {
				seen[id]++
			}
			if !p.more {
				break
			}
			ids := c.ids(t, "select id from api.pages")
			gone, twin := rapid.SampledFrom(ids).Draw(rt, "gone"), rapid.SampledFrom(ids).Draw(rt, "twin")
			next++
			c.exec(t, fmt.Sprintf(`insert into api.pages select (jsonb_populate_record(p, jsonb_build_object('id', %d, 'code', gen_random_uuid()))).*
				from api.pages p where id = %d; delete from api.pages where id = %d`, next, twin, gone))
			delete(stable, gone)
		}
		for id, n := range seen {
			if n > 1 {
				rt.Fatalf("%s: row %d came %d times", w.query, id, n)
			}
		}
		for id := range stable {
			if seen[id] == 0 {
				rt.Fatalf("%s: row %d never came", w.query, id)
			}
		}
	})
}

func (c *cinema) exec(t testing.TB, sql string) {
	t.Helper()
	if _, err := c.conn.Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
}

// deepScript makes indexes that serve the orders of TestDeepPagesCostWhatTheFirstCosts.
const deepScript = `
create schema api;
create schema other;
create domain api.score as int;
create table api.deep (id int primary key, at timestamptz not null, opt int, kind int not null, score api.score);
insert into api.deep select g, timestamptz '2024-01-01' + g / 3 * interval '1 second', nullif(g / 7 % 20000, 3), g % 2, g % 5
from generate_series(1, 200000) g;
create index on api.deep (at, id);
create index on api.deep (opt, id);
create index on api.deep (kind, at desc, id);
create index on api.deep (score, id desc);
create table api.parts (id int, day int, v int, primary key (id, day)) partition by hash (id);
create table api.parts1 partition of api.parts for values with (modulus 2, remainder 0);
create table api.parts2 partition of api.parts for values with (modulus 2, remainder 1);
insert into api.parts select g, g, g from generate_series(1, 50000) g;
analyze`

// The buffers that a page reads do not depend on where it is, whatever the NULLs and directions of the order, as long
// as an index has that order.
func TestDeepPagesCostWhatTheFirstCosts(t *testing.T) {
	c := open(t, deepScript)
	for _, test := range []struct{ order, by, key string }{
		{"id", "id", "id"},
		{"id.desc", "id desc", "id"},
		{"at", "at, id", "at, id"},
		{"at.desc", "at desc, id desc", "at, id"},
		{"opt", "opt, id", "opt, id"},
		{"opt.desc", "opt desc, id desc", "opt, id"},
		{"kind,at.desc,id.asc", "kind, at desc, id", "kind, at, id"},
		{"score,id.desc", "score, id desc", "score, id"},
	} {
		t.Run(test.order, func(t *testing.T) {
			first := c.buffers(t, "/deep?select=*&limit=25&order="+test.order, false, nil)
			for _, offset := range []int{20, 100000, 170000, 199950} {
				key := c.key(t, test.key, test.by, offset)
				for _, backward := range []bool{false, true} {
					if deep := c.buffers(t, "/deep?select=*&limit=25&order="+test.order, backward, key); deep > first+30 {
						t.Errorf("the page at %d (backward %t) reads %d buffers, the first reads %d", offset, backward, deep, first)
					}
				}
			}
		})
	}
	first := c.buffers(t, "/parts?limit=25", false, nil)
	forty := "40000"
	if deep := c.buffers(t, "/parts?limit=25", false, []*string{&forty, &forty}); deep > first+30 {
		t.Errorf("a deep page of partitions reads %d buffers, the first reads %d", deep, first)
	}
}

func (c *cinema) key(t *testing.T, columns, by string, offset int) []*string {
	t.Helper()
	r, err := c.run(t, fmt.Sprintf("select %s from api.deep order by %s offset %d limit 1", columns, by, offset), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.rows[0]
}

// buffers are the shared buffers that a page hits or reads, planned as for a prepared statement.
func (c *cinema) buffers(t *testing.T, query string, backward bool, from []*string) int {
	t.Helper()
	if from != nil {
		query += "&cursor=x"
	}
	r, err := parse("GET", query, map[string][]string{"Prefer": {"pagination=cursor"}})
	if err != nil {
		t.Fatal(err)
	}
	var key [][]byte
	if from != nil {
		key = putCursor(r, backward, from)
	}
	p, err := plan.New(c.snapshot, r, defaults)
	if err != nil {
		t.Fatal(err)
	}
	explained := "explain (analyze, buffers, format json) " + p.SQL
	most := 0
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		c.exec(t, "set plan_cache_mode to "+mode)
		most = max(most, c.explainBuffers(t, explained, p.Bind(nil, r, defaults, key)))
	}
	return most
}

func (c *cinema) explainBuffers(t *testing.T, explained string, args [][]byte) int {
	t.Helper()
	ctx := context.Background()
	if _, err := c.conn.Prepare(ctx, "", explained, nil); err != nil {
		t.Fatal(err)
	}
	r := c.conn.ExecPrepared(ctx, "", args, nil, nil).Read()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	unmarshal(t, string(r.Rows[0][0]), &plans)
	return plans[0].Plan.Hit + plans[0].Plan.Read
}
