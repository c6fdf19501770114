package plan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// parse parses a target that is percent-encoded.
func (r drawn) parse() (*request.Request, error) {
	path, query, _ := strings.Cut(r.target, "?")
	limits := request.Limits{Depth: 200, Conditions: 5000, Fields: 5000, Embeds: 5000}
	return request.Parse(r.method, &url.URL{Path: path, RawQuery: query}, r.header, request.Settings{Schemas: []string{"api", "other"}, Limits: limits})
}

// Any request is refused with an error for the client, or becomes one statement that PostgreSQL can parse, in which no
// value of the client is.
func TestEveryRequestBecomesAStatement(t *testing.T) {
	c := newCinema(t)
	refused, planned := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		const marker = "vAlUe"
		for range 10 { // requests for each of rapid's checks
			asked := drawRequest(rt, c.snapshot, func() string { return marker })
			r, err := asked.parse()
			if err != nil {
				if e := apierr.From(err); e == nil || e.HTTPStatus() >= 500 {
					rt.Fatalf("%s: %v", asked, err)
				}
				refused++
				continue
			}
			p, err := plan.New(c.snapshot, r, defaults)
			if err != nil {
				if e := apierr.From(err); e == nil || e.HTTPStatus() >= 500 {
					rt.Fatalf("%s: %v", asked, err)
				}
				refused++
				continue
			}
			planned++
			for _, sql := range []string{p.SQL, p.EstimateSQL} {
				if strings.Contains(sql, marker) || strings.Contains(sql, secret) || strings.Contains(sql, "91827") {
					rt.Fatalf("%s: a value is in the statement\n%s", asked, sql)
				}
				if err := c.check(sql); err != nil {
					rt.Fatalf("%s: %v\n%s", asked, err, sql)
				}
			}
			if got := p.Bind(nil, r, defaults, anyCursor(p)); len(got) != len(p.Args) {
				rt.Fatalf("%s: %d arguments of %d", asked, len(got), len(p.Args))
			}
		}
	})
	if planned < refused/20 {
		t.Errorf("only %d of %d requests could be planned", planned, planned+refused)
	}
}

// anyCursor is a cursor of NULLs, in case that the plan has one.
func anyCursor(p *plan.Read) [][]byte {
	if p.Keyset == nil {
		return nil
	}
	return make([][]byte, len(p.Keyset.Columns))
}

// check has PostgreSQL parse a statement. What a client can have written wrong, such as a column that there is not, is
// no error of the statement.
func (c *cinema) check(sql string) error {
	if sql == "" {
		return nil
	}
	_, err := c.conn.Prepare(context.Background(), "", sql, nil)
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "42601": // syntax error
			if strings.HasPrefix(e.Message, "zero-length delimited identifier") { // a column whose name is empty
				return nil
			}
		case "42712": // table name specified more than once
		case "42P01", "42P02": // no such table, no such parameter
		case "42P08", "42P18": // the type of a parameter cannot be told
		default:
			if e.Code[:2] == "42" || e.Code[:2] == "0A" || e.Code[:2] == "22" {
				return nil
			}
		}
	}
	return err
}

// Two requests that differ in their values alone have one shape, and one plan.
func TestEqualShapesHaveEqualPlans(t *testing.T) {
	c := newCinema(t)
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Int().Draw(rt, "seed")
		var plans [2]*plan.Read
		var shapes [2][]byte
		var args [2][][]byte
		for i := range plans {
			n := 0
			asked := rapid.Custom(func(t *rapid.T) drawn {
				return drawRequest(t, c.snapshot, func() string { n++; return fmt.Sprint("value", i, n) })
			}).Example(seed)
			r, err := asked.parse()
			if err != nil {
				return
			}
			if plans[i], err = plan.New(c.snapshot, r, defaults); err != nil {
				return
			}
			shapes[i] = r.Query.AppendShape(nil)
			args[i] = plans[i].Bind(nil, r, defaults, nil)
		}
		if !bytes.Equal(shapes[0], shapes[1]) {
			rt.Fatalf("the shapes of %s differ", plans[0].SQL)
		}
		if plans[0].SQL != plans[1].SQL || plans[0].EstimateSQL != plans[1].EstimateSQL {
			rt.Fatalf("equal shapes, different statements:\n%s\n%s", plans[0].SQL, plans[1].SQL)
		}
		if len(args[0]) != len(args[1]) {
			rt.Fatalf("%d and %d arguments of %s", len(args[0]), len(args[1]), plans[0].SQL)
		}
	})
}

// FuzzNew plans whatever parses, and has PostgreSQL parse what is planned.
func FuzzNew(f *testing.F) {
	c := newCinema(f)
	files, err := filepath.Glob("testdata/*.case")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if target, ok := strings.CutPrefix(strings.TrimSpace(line), "> GET "); ok {
				f.Add(target, "")
			}
		}
	}
	f.Add("/films?select=id", "text/csv")
	f.Add("/films?select=id", "application/vnd.pgrst.plan+json; for=\"text/csv\"")
	f.Fuzz(func(t *testing.T, target, accept string) {
		header := map[string][]string{}
		if accept != "" {
			header["Accept"] = []string{accept}
		}
		r, err := parse("GET", target, header)
		if err != nil || r.Target == request.Root {
			return
		}
		p, err := plan.New(c.snapshot, r, defaults)
		if err != nil {
			if e := apierr.From(err); e == nil || e.HTTPStatus() >= 500 {
				t.Fatal(err)
			}
			return
		}
		p.Bind(nil, r, defaults, anyCursor(p))
		if !strings.Contains(target, "::") { // the name of a type is the client's, and may be a word such as select
			if err := c.check(p.SQL); err != nil {
				t.Errorf("%v\n%s", err, p.SQL)
			}
		}
	})
}
