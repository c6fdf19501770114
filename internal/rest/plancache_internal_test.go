package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// library is a catalog with two related tables in two schemas, and a function with a namesake.
func library() *schema.Snapshot {
	s := &schema.Snapshot{Relations: map[schema.Name]*schema.Relation{}, Relationships: map[schema.RelationshipKey][]*schema.Relationship{}, Functions: map[schema.Name][]*schema.Function{}}
	for _, in := range []string{"api", "other"} {
		book, author := schema.Name{Schema: in, Name: "book"}, schema.Name{Schema: in, Name: "author"}
		for _, name := range []schema.Name{book, author} {
			s.Relations[name] = &schema.Relation{Name: name, Kind: schema.Table, Insertable: true, Updatable: true, Deletable: true, PrimaryKey: []string{"id"}, Columns: []schema.Column{
				{Name: "id", Type: "integer", NominalType: "integer"}, {Name: "name", Type: "text", NominalType: "text", Nullable: true},
				{Name: "author_id", Type: "integer", NominalType: "integer", Nullable: true},
			}}
		}
		s.Relationships[schema.RelationshipKey{Origin: book, TargetSchema: in}] = []*schema.Relationship{{
			Origin: book, Target: author, Cardinality: schema.ManyToOne, Constraint: "book_author_id_fkey", Columns: []schema.ColumnPair{{Left: "author_id", Right: "id"}},
		}}
		s.Relationships[schema.RelationshipKey{Origin: author, TargetSchema: in}] = []*schema.Relationship{{
			Origin: author, Target: book, Cardinality: schema.OneToMany, Constraint: "book_author_id_fkey", Columns: []schema.ColumnPair{{Left: "id", Right: "author_id"}},
		}}
		name := schema.Name{Schema: in, Name: "find"}
		for _, params := range [][]schema.Param{nil, {{Name: "name", Type: "text", TypeMod: "text", Required: true}}} {
			s.Functions[name] = append(s.Functions[name], &schema.Function{
				Name: name, Params: params, Volatility: schema.Stable, Returns: schema.Return{Set: true, Composite: true, Type: book, Table: "book"},
			})
		}
	}
	return s
}

// drawRequest draws a request from a small world, so that many of the same shape come up; nil is one that is refused.
func drawRequest(t *rapid.T) *request.Request {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{
		"select=id", "select=name", "select=id,name", "select=*", "select=x:id", "select=id::text", "select=name->a", "select=author(id)", "select=author(*)", "select=id,author(name)",
		"select=author!inner(id)", "select=...author(name)", "select=a:author(id)", "select=book(id)", "select=id.sum()", "select=count()",
		"id=eq.1", "id=eq.2", "id=not.eq.2", "id=gt.1", "id=in.(1,2)", "id=in.(1,2,3)", "id=is.null", "id=is.not_null", "name=like.a*", "name=fts.a", "name=fts(english).a", "name=eq(any).{a}",
		"name=x", "author.id=eq.1", "author.name=eq.1", "or=(id.eq.1,id.eq.2)", "and=(id.eq.1,id.eq.2)", "or=(id.eq.1,id.gt.2)", "not.or=(id.eq.1,id.eq.2)",
		"order=id", "order=id.desc", "order=id.nullsfirst", "order=name", "order=author(id)", "author.order=id", "book.order=id",
		"limit=1", "limit=2", "limit=0", "offset=1", "offset=2", "offset=0", "book.limit=1", "book.limit=2", "book.offset=1",
		"cursor=AW4", "cursor=AXA", "columns=id", "columns=id,name", "on_conflict=id",
	}), 0, 3).Draw(t, "query")
	u := &url.URL{Path: pick("path", "/book", "/author", "/rpc/find"), RawQuery: strings.Join(parts, "&")}
	header := http.Header{}
	add := func(name string, values ...string) {
		if v := pick(name, values...); v != "" {
			header.Set(name, v)
		}
	}
	add("Accept", "", "*/*", "application/json", "text/csv", "application/x-ndjson", "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json;nulls=stripped",
		"application/vnd.pgrst.plan", "application/vnd.pgrst.plan+json", "application/vnd.pgrst.plan; options=analyze", `application/vnd.pgrst.plan; for="text/csv"`, "image/png", "image/png, text/csv")
	add("Prefer", "", "count=exact", "count=planned", "count=estimated", "pagination=cursor", "timezone=UTC")
	add("Accept-Profile", "", "", "other")
	add("Range", "", "", "0-", "0-4", "1-4")
	r, err := request.Parse(pick("method", "GET", "HEAD"), u, header, request.Settings{Schemas: []string{"api", "other"}})
	if err != nil {
		return nil
	}
	x := &exchange{Handler: &Handler{options: Options{CursorSecret: []byte("secret")}}, req: r}
	if x.readCursor() != nil {
		return nil
	}
	return r
}

// Two requests with one key get one plan, so the plans that they would get alone must be the same.
func TestKeysTellPlansApart(t *testing.T) {
	s := library()
	o := plan.Options{Aggregates: true, Explain: true, MaxRows: 100, LegacyTargetNames: true}
	type seen struct {
		request string
		plan    *plan.Read
		err     string
	}
	byKey := map[string]seen{}
	shared := 0
	check := func(t *rapid.T) {
		r := drawRequest(t)
		if r == nil {
			return
		}
		key := string(appendKey(nil, r))
		p, err := plan.New(s, r, o)
		now := seen{request: fmt.Sprintf("%+v", r), plan: p, err: fmt.Sprint(err)}
		before, known := byKey[key]
		if !known {
			byKey[key] = now
			return
		}
		shared++
		if diff := cmp.Diff(before.plan, now.plan); diff != "" || before.err != now.err {
			t.Fatalf("one key for\n%s\nand\n%s\n%s", before.request, now.request, diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			check(t)
		}
	})
	if len(byKey) < 10 || shared == 0 {
		t.Errorf("%d keys, %d of them shared: this shows nothing", len(byKey), shared)
	}
}

// Values are no part of the shape: one plan serves them all.
func TestKeysLeaveValuesOut(t *testing.T) {
	parse := func(target string, header http.Header) string {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		r, err := request.Parse("GET", u, header, request.Settings{Schemas: []string{"api"}})
		if err != nil {
			t.Fatal(err)
		}
		return string(appendKey(nil, r))
	}
	one := parse("/book?id=eq.1&name=like.a*&limit=5&offset=5", nil)
	for _, same := range []string{"/book?id=eq.2&name=like.b*&limit=6&offset=7", "/book?id=eq.x%22y&name=like.&offset=1&limit=1"} {
		if parse(same, nil) != one {
			t.Errorf("%s has a plan of its own", same)
		}
	}
	for _, other := range []string{"/book?id=eq.1&name=like.a*&limit=5", "/book?id=eq.1&name=like.a*&offset=5", "/book?name=like.a*&id=eq.1&limit=5&offset=5", "/books?id=eq.1&name=like.a*&limit=5&offset=5"} {
		if parse(other, nil) == one {
			t.Errorf("%s shares a plan", other)
		}
	}
}

// Which conditions a write has is part of its shape, their tags are not. A read compares tags with its answer.
func TestKeysOfConditions(t *testing.T) {
	key := func(method string, header http.Header) string {
		r, err := request.Parse(method, &url.URL{Path: "/book", RawQuery: "id=eq.1"}, header, request.Settings{Schemas: []string{"api"}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Writes() {
			if r.Payload, err = r.ReadPayload([]byte(`{"id": 1}`)); err != nil {
				t.Fatal(err)
			}
		}
		return string(appendKey(nil, r))
	}
	shapes := []http.Header{nil, {"If-Match": {`"a"`}}, {"If-Match": {"*"}}, {"If-None-Match": {`"a"`}}, {"If-None-Match": {"*"}}, {"If-Match": {"*"}, "If-None-Match": {"*"}}}
	seen := map[string]bool{}
	for _, header := range shapes {
		seen[key("PUT", header)] = true
		if key("GET", header) != key("GET", nil) {
			t.Errorf("a read with %v has a plan of its own", header)
		}
	}
	if len(seen) != len(shapes) {
		t.Errorf("%d keys for %d shapes", len(seen), len(shapes))
	}
	if key("PUT", shapes[1]) != key("PUT", http.Header{"If-Match": {`"b", W/"c"`}}) {
		t.Error("other tags have a plan of their own")
	}
}

func newPlanned(sql string) *planned { return &planned{Read: &plan.Read{SQL: sql}} }

func TestPlanCacheIsBounded(t *testing.T) {
	const budget = 1 << 20
	c, s := newPlanCache(budget), &schema.Snapshot{Generation: 1}
	hot := newPlanned("hot")
	c.put(s, []byte("hot"), hot)
	for n := range 10_000 {
		c.put(s, fmt.Appendf(nil, "key %d", n), newPlanned(strings.Repeat("x", n%5000)))
		if c.get(s, []byte("hot")) != hot {
			t.Fatalf("what is in use is forgotten after %d others", n)
		}
	}
	total := 0
	for _, generation := range []map[string]*planned{c.young, c.old} {
		for key, p := range generation {
			total += p.cost([]byte(key))
		}
	}
	if total > budget || total < budget/4 {
		t.Errorf("%d bytes of %d", total, budget)
	}
	if c.get(s, []byte("key 0")) != nil {
		t.Error("nothing is forgotten")
	}
}

func TestPlanCacheFollowsTheSchema(t *testing.T) {
	c := newPlanCache(1 << 20)
	before, after := &schema.Snapshot{Generation: 1}, &schema.Snapshot{Generation: 2}
	key := []byte("key")
	c.put(before, key, newPlanned("before"))
	if c.get(after, key) != nil {
		t.Error("a plan for the old schema is used for the new one")
	}
	c.put(after, key, newPlanned("after"))
	if len(c.young)+len(c.old) != 1 || c.snapshot != after {
		t.Error("the old schema and its plans are kept")
	}
	c.put(before, key, newPlanned("late")) // by a request that began before the reload
	if p := c.get(after, key); p == nil || p.SQL != "after" {
		t.Errorf("the new schema's plan is %v", p)
	}
	if c.get(before, key) != nil {
		t.Error("the old schema is served again")
	}
}

func TestPlanCacheInParallel(t *testing.T) {
	c := newPlanCache(64 << 10)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 2000 {
				s := &schema.Snapshot{Generation: 0}
				if n%500 == 0 {
					s = &schema.Snapshot{Generation: uint64(n/500 + w)}
				} else if now := c.current(); now != nil {
					s = now
				}
				key := fmt.Appendf(nil, "%d", n%50)
				if p := c.get(s, key); p != nil && p.SQL != string(key) {
					t.Errorf("%s got the plan of %s", key, p.SQL)
				} else if p == nil {
					c.put(s, key, newPlanned(string(key)))
				}
			}
		})
	}
	wg.Wait()
}

// current is the snapshot whose plans are kept.
func (c *planCache) current() *schema.Snapshot {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.snapshot
}
