package slipstream_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const ruledSQL = `
	create table kind (name text primary key);
	insert into kind values ('a'), ('b');
	create table ruled (
		id int primary key, kind text references kind, n int unique check (n < 100), late int unique deferrable initially deferred,
		doc jsonb, t text not null default 'x', g int generated always as (n + 1) stored);
	create function ruled_check() returns trigger language plpgsql as $$ begin
		if new.t = 'refuse' then raise exception 'refused'; end if;
		if new.t = 'status' then perform set_config('response.status', 'broken', true); end if;
		return new;
	end $$;
	create trigger ruled_check before insert or update on ruled for each row execute function ruled_check();
	create view ruled_view as select id, t from ruled where id < 5 with check option;
	create function ruled_set(id int, t text) returns setof ruled language sql volatile as
		'insert into api.ruled (id, t) values (ruled_set.id, ruled_set.t) on conflict (id) do update set t = excluded.t returning *';
` + grantSQL

// drawValue draws a JSON value that columns may or may not take.
func drawValue(t *rapid.T) any {
	return rapid.SampledFrom([]any{
		0, 1, 2, 3, 7, 99, 100, -1, 1.5, 1e300, "1", "2", "a", "b", "c", "refuse", "status", "", "x\x00y", "'; drop table ruled; --", true, nil,
		[]any{}, []any{1, "a"}, map[string]any{}, map[string]any{"a": []any{nil}},
	}).Draw(t, "value")
}

func drawRow(t *rapid.T, keys []string) map[string]any {
	row := map[string]any{}
	for _, k := range keys {
		row[k] = drawValue(t)
	}
	if rapid.IntRange(0, 3).Draw(t, "valid") > 0 { // most rows are to have a chance
		row["id"] = rapid.IntRange(0, 6).Draw(t, "id")
		delete(row, "g")
	}
	return row
}

func drawBody(t *rapid.T, calling bool) (body, contentType string) {
	columns := []string{"id", "kind", "n", "late", "doc", "t", "g", "nope"}
	if calling {
		columns = []string{"id", "t"}
	}
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(columns), 0, 4, func(s string) string { return s }).Draw(t, "keys")
	var document any = drawRow(t, keys)
	switch rapid.IntRange(0, 11).Draw(t, "body") {
	case 0, 1, 2:
		rows := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			rows = append(rows, drawRow(t, keys))
		}
		document = rows
	case 3:
		document = drawValue(t)
	case 4:
		return rapid.String().Draw(t, "text"), "application/json"
	case 5:
		return strings.Join(keys, ",") + "\n" + rapid.StringMatching(`([0-6a"\n]|NULL|,){0,20}`).Draw(t, "CSV"), "text/csv"
	case 6:
		form := url.Values{}
		for _, k := range keys {
			form.Add(k, fmt.Sprint(drawValue(t)))
		}
		return form.Encode(), "application/x-www-form-urlencoded"
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if cut := rapid.IntRange(0, 20*len(text)).Draw(t, "cut"); cut < len(text) {
		text = text[:cut]
	}
	return string(text), "application/json"
}

// A write that is refused, for whatever reason, leaves everything as it was, and no body can cause more than a refusal.
func TestRefusedMeansUnchanged(t *testing.T) {
	s := serve(t, ruledSQL)
	const look = `select coalesce(jsonb_agg(r order by id), '[]')::text from api.ruled r`
	before := s.value(look)
	done := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		for range 5 { // requests for each of rapid's checks
			method := rapid.SampledFrom([]string{"POST", "POST", "PATCH", "PUT", "DELETE"}).Draw(rt, "method")
			path := rapid.SampledFrom([]string{"/ruled", "/ruled", "/ruled_view", "/rpc/ruled_set"}).Draw(rt, "path")
			calling := strings.HasPrefix(path, "/rpc")
			if calling {
				method = "POST"
			}
			query := rapid.SampledFrom([]string{
				"", "id=eq.1", "id=eq.2", "id=lt.4", "t=eq.x", "select=id,t", "select=id,kind(*)", "select=nope", "id=lt.4&limit=1", "on_conflict=n", "columns=id,t", "n=eq.a",
			}).Draw(rt, "query")
			var headers []string
			for _, h := range []string{
				representation, headersOnly, "Prefer: resolution=merge-duplicates", "Prefer: resolution=ignore-duplicates", "Prefer: missing=default",
				"Prefer: handling=strict, max-affected=1", "Prefer: count=exact", singular, acceptCSV, acceptNDJSON,
			} {
				if rapid.IntRange(0, 4).Draw(rt, h) == 0 {
					headers = append(headers, h)
				}
			}
			body, contentType := drawBody(rt, calling)
			a := s.write(method, path+"?"+query, body, append(headers, "Content-Type: "+contentType)...)
			after := s.value(look)
			asked := fmt.Sprintf("%s %s?%s %s %q: %d %s", method, path, query, headers, body, a.StatusCode, a.body)
			var e struct{ Code string }
			switch {
			case a.StatusCode < 400:
			case json.Unmarshal([]byte(a.body), &e) != nil || e.Code == "":
				rt.Fatalf("%s\nthe refusal has no code", asked)
			case before != after:
				rt.Fatalf("%s\nbefore %s\nafter  %s", asked, before, after)
			case a.StatusCode >= 500 && e.Code != "21000" && e.Code != "PGRST112": // a row twice in an upsert; the trigger's status
				rt.Fatal(asked)
			}
			done[a.StatusCode < 400]++
			before = after
		}
	})
	t.Logf("%d requests were refused, %d not", done[false], done[true])
	if done[true] == 0 || done[false] == 0 {
		t.Error("it takes both")
	}
}
