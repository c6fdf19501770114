package plan_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func newShop(t testing.TB) *cinema {
	t.Helper()
	script, err := os.ReadFile("testdata/write/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, string(script))
}

// posted is a request with a body.
type posted struct {
	drawn
	body string
}

func (p posted) String() string { return fmt.Sprint(p.drawn, " ", p.body) }

// request reads it as package rest does.
func (p posted) request() (*request.Request, error) {
	r, err := p.parse()
	if err == nil {
		r.Payload, err = r.ReadPayload([]byte(p.body))
	}
	return r, err
}

// drawWrite draws a write or a call by POST. Two draws that make the same choices differ in their values only.
func drawWrite(t *rapid.T, s *schema.Snapshot, value func() string) posted {
	d := &drawer{T: t, snapshot: s, value: value}
	out := posted{drawn: drawRequest(t, s, value)}
	out.method = "POST"
	path, query, _ := strings.Cut(out.target, "?")
	name, calling := strings.CutPrefix(path, "/rpc/")
	var known []string
	if calling {
		for _, f := range s.Functions[schema.Name{Schema: "api", Name: name}] {
			for _, p := range f.Params {
				known = append(known, p.Name)
			}
		}
		query = d.dropArguments(query)
	} else {
		out.method = pick(d, "method", []string{"POST", "PUT", "PATCH", "DELETE"})
		relation := s.Relations[schema.Name{Schema: "api", Name: strings.TrimPrefix(path, "/")}]
		for _, c := range relation.Columns {
			known = append(known, c.Name)
		}
		query += d.conflict(relation)
		if out.method == "PUT" {
			query = "select=*"
			for _, k := range relation.PrimaryKey {
				query += "&" + url.QueryEscape(quoted(k)) + "=eq." + value()
			}
		}
	}
	keys := d.keys(known)
	if d.chance("columns", 20) && len(keys) > 0 {
		names := make([]string, len(keys))
		for i, k := range keys {
			names[i] = quoted(k)
		}
		query += "&columns=" + url.QueryEscape(strings.Join(names, ","))
	}
	out.target = path + "?" + query
	for _, p := range []string{"return=representation", "return=headers-only", "resolution=merge-duplicates", "resolution=ignore-duplicates", "missing=default"} {
		if d.chance(p, 25) {
			out.header.Add("Prefer", p)
		}
	}
	if out.method != "POST" && d.chance("If-Match", 30) {
		out.header.Set("If-Match", pick(d, "tags", []string{"*", `"0123456789abcdef0123456789abcdef"`, `"` + value() + `", W/"x"`}))
	}
	if out.method == "PUT" && d.chance("If-None-Match", 20) {
		out.header.Set("If-None-Match", "*")
	}
	out.body = d.body(keys, out)
	return out
}

// dropArguments leaves the arguments of a GET out, which are no filters.
func (d *drawer) dropArguments(query string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
		_, v, _ := strings.Cut(p, "=")
		return v == d.value()
	}), "&")
}

func (d *drawer) conflict(r *schema.Relation) string {
	if len(r.Columns) == 0 || !d.chance("on conflict", 20) {
		return ""
	}
	return "&on_conflict=" + url.QueryEscape(quoted(d.column(r).Name))
}

// keys draws the keys of the payload: columns or parameters, and now and then another.
func (d *drawer) keys(known []string) []string {
	var keys []string
	for _, k := range known {
		if d.chance("key", 60) {
			keys = append(keys, k)
		}
	}
	if d.chance("odd key", 10) {
		keys = append(keys, strings.ReplaceAll(pick(d, "odd", oddNames), "\x00", ""))
	}
	return keys
}

// body draws one object or several, or a form, or something else.
func (d *drawer) body(keys []string, p posted) string {
	form := url.Values{}
	row := map[string]any{}
	for _, k := range keys {
		row[k] = pick(d, "type", []any{d.value(), []string{d.value()}, map[string]string{d.value(): d.value()}, nil})
		form.Add(k, d.value())
	}
	var document any
	switch rapid.IntRange(0, 9).Draw(d.T, "body") {
	case 0:
		p.header.Set("Content-Type", request.URLEncoded)
		return form.Encode()
	case 1:
		p.header.Set("Content-Type", pick(d, "content type", []string{request.TextPlain, request.OctetStream, request.TextXML, "image/png"}))
		return d.value()
	case 2:
		document = []any{}
	case 3, 4, 5:
		document = []any{row, row}
	case 6:
		document = d.value()
	default:
		document = row
	}
	text, err := json.Marshal(document)
	if err != nil {
		d.Fatal(err)
	}
	return string(text)
}

// planned is what becomes of a request.
func (c *cinema) planned(p posted) (*plan.Read, *request.Request, error) {
	r, err := p.request()
	if err != nil {
		return nil, nil, err
	}
	out, _, err := c.plan(&asking{Request: r, options: defaults})
	return out, r, err
}

// Any write and any call is refused with an error for the client, or becomes one statement that PostgreSQL can parse.
// No value of the client is in it, and it is the same for other values.
func TestEveryWriteBecomesAStatement(t *testing.T) {
	c := newShop(t)
	refused, planned := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		for range 10 { // requests for each of rapid's checks
			const marker = "vAlUe"
			asked := drawWrite(rt, c.snapshot, func() string { return marker })
			p, r, err := c.planned(asked)
			if err != nil {
				if e := apierr.From(err); e == nil || e.HTTPStatus() >= 500 {
					rt.Fatalf("%s: %v", asked, err)
				}
				refused++
				continue
			}
			planned++
			if strings.Contains(p.SQL, marker) || strings.Contains(p.SQL, secret) || strings.Contains(p.SQL, "91827") {
				rt.Fatalf("%s: a value is in the statement\n%s", asked, p.SQL)
			}
			if err := c.check(p.SQL); err != nil && databaseError(t, err)[:7] != "! 55000" { // a view that cannot be written
				rt.Fatalf("%s: %v\n%s", asked, err, p.SQL)
			}
			if got := p.Bind(nil, r, defaults, nil); len(got) != len(p.Args) {
				rt.Fatalf("%s: %d arguments of %d", asked, len(got), len(p.Args))
			}
			other := posted{drawn{asked.method, strings.ReplaceAll(asked.target, marker, "other"), asked.header}, strings.ReplaceAll(asked.body, marker, "other")}
			if q, _, err := c.planned(other); err != nil {
				rt.Fatalf("%s: %v", other, err)
			} else if q.SQL != p.SQL {
				rt.Fatalf("%s and %s have statements of their own\n%s\n%s", asked, other, p.SQL, q.SQL)
			}
		}
	})
	if planned < refused/10 {
		t.Errorf("only %d of %d requests could be planned", planned, planned+refused)
	}
}

// Requests of one shape have one plan, whatever their rows: the plan cache relies on it.
func TestWritePlansDependOnTheShapeAlone(t *testing.T) {
	c := newShop(t)
	same := func(a, b posted) {
		t.Helper()
		p, r, err := c.planned(a)
		if err != nil {
			t.Fatal(err)
		}
		q, s, err := c.planned(b)
		if err != nil {
			t.Fatal(err)
		}
		alike := string(r.Payload.AppendShape(nil)) == string(s.Payload.AppendShape(nil))
		if alike != (p.SQL == q.SQL) {
			t.Errorf("%s\n%s\nthe shapes are alike: %t, the statements:\n%s\n%s", a, b, alike, p.SQL, q.SQL)
		}
	}
	makers := func(body string, header ...string) posted {
		p := posted{drawn{method: "POST", target: "/makers", header: map[string][]string{}}, body}
		if len(header) > 0 {
			p.header["Content-Type"] = header
		}
		return p
	}
	same(makers(`{"id":1,"name":"a"}`), makers(`{"name":{"a":[1]},"id":null}`))
	same(makers(`[{"id":1}]`), makers(`[{"id":1},{"id":2},{"id":3}]`))
	same(makers(`[{"id":1,"name":"x"}]`), makers("id,name\n1,2", request.CSV))
	same(makers(`{"id":1,"name":"x"}`), makers("name=2&id=3&id=4", request.URLEncoded))
	same(makers(`{"id":1}`), makers(`[{"id":1}]`))
	same(makers(`{"id":1}`), makers(`{"name":1}`))
	same(makers(`{}`), makers(`[]`))
	same(makers(`[]`), makers(`[{}]`))
}
