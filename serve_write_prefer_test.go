package slipstream_test

import (
	"testing"

	"github.com/slipstream-go/slipstream"
)

// Who decides the end of the transaction, and what is answered about it (db-tx-end).
func TestTransactionEnd(t *testing.T) {
	const commit, rollback = "Prefer: tx=commit", "Prefer: tx=rollback"
	const kept, gone = "9", none
	for end, c := range map[string]struct {
		plain, commit, rollback string
		told                    bool
	}{
		"commit":                  {kept, kept, kept, false},
		"commit-allow-override":   {kept, kept, gone, true},
		"rollback":                {gone, gone, gone, false},
		"rollback-allow-override": {gone, kept, gone, true},
	} {
		t.Run(end, func(t *testing.T) {
			s := serve(t, `
				create table item (id int primary key);
				create function add(id int) returns int language sql volatile as 'insert into api.item values (id) returning id';
				create function adds(id int) returns setof api.item language sql volatile as 'insert into api.item values (id) returning *';
			`+grantSQL, func(c *slipstream.Config) { c.DBTxEnd = end })
			var list []writing
			for _, p := range []struct {
				send []string
				tx   string
				left string
			}{{nil, "", c.plain}, {[]string{commit}, "tx=commit", c.commit}, {[]string{rollback}, "tx=rollback", c.rollback}} {
				if !c.told {
					p.tx = ""
				}
				applied := "Preference-Applied:"
				if p.tx != "" {
					applied += " " + p.tx
				}
				list = append(list,
					writing{"POST /item", p.send, `{"id": 9}`, 201, "", []string{applied}, p.left},
					writing{"PUT /item?id=eq.9", p.send, `{"id": 9}`, 204, "", []string{applied}, p.left},
					writing{"PATCH /item?id=eq.1", p.send, `{"id": 9}`, 204, "", nil, left(p.left, kept, "1")},
					writing{"DELETE /item?id=eq.1", p.send, ``, 204, "", nil, left(p.left, none, "1")},
					writing{"POST /rpc/add", p.send, `{"id": 9}`, 200, "9", []string{applied}, p.left},
					writing{"POST /rpc/adds", append([]string{acceptCSV}, p.send...), `{"id": 9}`, 200, "id\n9", []string{applied}, p.left},
				)
			}
			for i, w := range list {
				reset := "truncate item"
				if w.request[:2] != "PO" && w.request[:2] != "PU" {
					reset += "; insert into item values (1)"
				}
				s.writings(t, reset, `select string_agg(id::text, ' ') from api.item`, list[i:i+1])
			}
		})
	}
}

// left tells what is left of a change that was committed if that is kept, and rolled back otherwise.
func left(end, committed, before string) string {
	if end == none {
		return before
	}
	return committed
}

func TestMaxAffected(t *testing.T) {
	const strict, lenient = "Prefer: handling=strict, max-affected=1", "Prefer: handling=lenient, max-affected=1"
	tooMany := `{"code":"PGRST124","details":"The query affects 3 rows","hint":null,"message":"Query result exceeds max-affected preference constraint"}`
	s := serve(t, shopSQL+`
		create function clear() returns setof item language sql volatile as 'delete from api.item returning *';
		create function names() returns setof text language sql stable as 'select name from api.item order by id';
		create function one() returns text language sql volatile as 'delete from api.item returning name';`)
	s.writings(t, shopReset, lookItems, []writing{
		{"PATCH /item", []string{strict}, `{"note": "x"}`, 400, tooMany, []string{"Preference-Applied:"}, ""},
		{"PATCH /item", []string{strict, representation, acceptCSV}, `{"price": 5}`, 400, tooMany, nil, ""},
		{"PATCH /item?id=eq.1", []string{strict}, `{"price": 5}`, 204, "", []string{"Preference-Applied: handling=strict, max-affected=1"}, "1|bolt|5|2 2|nut|1|2 3|washer"},
		{"PATCH /item", []string{lenient}, `{"price": 5}`, 204, "", []string{"Preference-Applied: handling=lenient"}, "1|bolt|5|2 2|nut|5|2 3|washer|5"},
		{"PATCH /item", []string{"Prefer: max-affected=1"}, `{"price": 5}`, 204, "", []string{"Preference-Applied:"}, "1|bolt|5|2 2|nut|5|2 3|washer|5"},
		{"DELETE /item", []string{strict}, "", 400, tooMany, nil, ""},
		{"DELETE /item?id=gt.2", []string{strict}, "", 204, "", nil, "1|bolt|1.5|2 2|nut|1|2"},
		{"POST /item", []string{strict}, `[{"id": 4, "name": "a"}, {"id": 5, "name": "b"}]`, 201, "", []string{"Preference-Applied: handling=strict"}, stock + " 4|a 5|b"},
		{"POST /rpc/clear", []string{strict}, `{}`, 400, tooMany, nil, ""},
		{"POST /rpc/clear", []string{strict, acceptNDJSON}, `{}`, 400, tooMany, nil, ""},
		{"POST /rpc/names", []string{strict}, `{}`, 400, tooMany, nil, ""},
		{"POST /rpc/names", []string{strict, acceptCSV}, `{}`, 400, tooMany, nil, ""},
		{"GET /rpc/names", []string{strict}, ``, 400, tooMany, nil, ""},
		{"GET /rpc/names?limit=1", []string{strict}, ``, 200, `["bolt"]`, []string{"Preference-Applied: handling=strict, max-affected=1"}, ""},
		{"POST /rpc/one", []string{strict}, `{}`, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST128"}, ""},
		{"POST /item", []string{"Prefer: handling=strict, nonsense"}, `{"id": 4, "name": "a"}`, 400, "*", []string{"Proxy-Status: PostgREST; error=PGRST122"}, ""},
		{"POST /item", []string{"Prefer: handling=lenient, nonsense"}, `{"id": 4, "name": "a"}`, 201, "", []string{"Preference-Applied: handling=lenient"}, stock + " 4|a"},
	})
}

func TestWriteInATimezone(t *testing.T) {
	s := serve(t, `create table event (at timestamptz);`+grantSQL)
	s.writings(t, "truncate event", "select max(at at time zone 'UTC') from api.event", []writing{
		{"POST /event", []string{"Prefer: timezone=Asia/Tokyo", representation}, `{"at": "2024-01-01 09:00"}`, 201, `[{"at":"2024-01-01T09:00:00+09:00"}]`,
			[]string{"Preference-Applied: return=representation, timezone=Asia/Tokyo"}, "2024-01-01 00:00:00"},
		{"POST /event", []string{"Prefer: timezone=Mars/Olympus"}, `{"at": "2024-01-01"}`, 400, "*", []string{"Proxy-Status: PostgREST; error=22023"}, ""},
	})
}
