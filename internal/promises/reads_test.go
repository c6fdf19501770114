package promises_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// read is a request of somebody.
type read struct {
	path    string
	headers []string
	ordered bool // the order of the rows is part of the answer
}

// reader makes reads of shopSchema of all shapes that can be kept.
type reader struct {
	*rand.Rand
	callers []string // headers; "" is anonymous
}

func newReader(s *site, seed, stream uint64) *reader {
	r := &reader{Rand: rand.New(rand.NewPCG(seed, stream)), callers: []string{""}}
	for u := range 4 {
		r.callers = append(r.callers, s.bearer(fmt.Sprintf(`"sub": "u%d"`, u)))
	}
	return r
}

// several gives n different reads.
func (r *reader) several(n int) []read {
	out := make([]read, n)
	for i := range out {
		out[i] = r.read()
	}
	return out
}

func (r *reader) one(of ...string) string { return of[r.IntN(len(of))] }

// sometimes is nothing in half of all cases.
func (r *reader) sometimes(text string) string {
	if r.IntN(2) == 0 {
		return ""
	}
	return text
}

func (r *reader) read() read {
	var q read
	switch r.IntN(13) {
	case 0:
		q.path = fmt.Sprintf("/parents?id=eq.%d%s", 1+r.IntN(24), r.sometimes("&select=id,name,rank,at"))
	case 1:
		q.path = "/parents?" + r.parentsWhere()
	case 2:
		q = r.page("/parents", r.parentsWhere(), "rank.desc,id", "at.desc,id", "at.asc.nullsfirst,id", "day,id.desc", "name,id", "id")
	case 3:
		q = r.page("/children", r.childrenWhere(), "amount,id", "at.desc.nullslast,id", "kind.desc,id", "parent_id.nullsfirst,id", "id.desc")
	case 4, 5:
		q = r.embed()
	case 6:
		q.path = r.one("/pairs?a=eq.2", "/pairs?a=eq.3&b=eq.b8", "/pairs?b=in.(b1,b2,b3)", "/pairs?select=*,parents(id,name)", "/pairs?day=gte.2020-01-02",
			"/pairs?select=a,v.sum()", "/links?select=*,pairs(v),parents(name)&parent_id=lt.9")
	case 7:
		q.path = r.one("/events?day=eq.2020-01-02", "/events?id=lt.9", "/events?what=eq.w1&day=gt.2020-01-03", "/events?select=what,count()")
	case 8:
		q.path = fmt.Sprintf(r.one("/logged?grp=eq.%d", "/logged?grp=eq.%d&select=count()", "/logged?v=lt.%d&offset=2&order=id", "/logged?note=neq.n%d"), r.IntN(4))
		q.ordered = strings.Contains(q.path, "order=")
	case 9:
		q.path = r.one("/families?amount=gt.4", "/families?kind=eq.k1&order=id", "/families?select=name,amount.sum()", "/families?id=eq.7", "/families?name=is.null",
			"/slowly", "/slowly?id=eq.3")
	case 10:
		q.path = r.one("/notes?open=is.true", "/notes?team=eq.1", "/notes?n=gt.4", "/notes", "/notes?id=eq.00000000-0000-0000-0000-000000000007",
			"/notes?owner=in.(u1,u2)", "/notes?select=owner,n.max()")
	case 11:
		q.path = r.one("/desk?n=gte.3", "/desk", "/desk?id=eq.9", "/desk?owner=eq.u1", "/desk?order=n.desc,id&limit=3", "/desk?select=count()")
		q.ordered = strings.Contains(q.path, "order=")
	case 12:
		q.path = r.one("/kinds", "/kinds?kind=eq.k2", "/kinds?order=n.desc,kind&limit=2", "/popular", "/teams", "/teams?who=eq.u1", "/teams?team=eq.1&order=who")
	}
	if c := r.callers[r.IntN(len(r.callers))]; c != "" {
		q.headers = append(q.headers, c)
	}
	switch r.IntN(10) {
	case 0:
		q.headers = append(q.headers, "Prefer: count=exact")
	case 1:
		q.headers = append(q.headers, "Accept: application/vnd.pgrst.object+json")
	case 2:
		q.headers = append(q.headers, "Prefer: timezone=Asia/Tokyo")
	}
	return q
}

func (r *reader) parentsWhere() string {
	return r.one(
		fmt.Sprintf("rank=eq.%d", r.IntN(5)), fmt.Sprintf("rank=neq.%d", r.IntN(5)), fmt.Sprintf("rank=gt.%d", r.IntN(5)),
		fmt.Sprintf("rank=lte.%d", r.IntN(5)), fmt.Sprintf("rank=in.(%d,%d)", r.IntN(5), r.IntN(5)), "rank=is.null", "rank=not.is.null",
		"rank=not.eq.2", "rank=isdistinct.3", fmt.Sprintf("name=eq.p%d", r.IntN(7)), `name=in.(p1,"p2",p3)`, "name=like.p*", "name=neq.p1", "name=gt.p3",
		"active=is.true", "active=is.false", "active=eq.false", "active=is.unknown", fmt.Sprintf("day=eq.2020-01-0%d", 1+r.IntN(6)), "day=gt.2020-01-03",
		"at=gte.2020-01-01T12:00:00Z", "at=lt.2020-01-01T06:00:00%2B02:00", "at=eq.2020-01-01T05:00:00Z", "at=is.null",
		"ref=eq.00000000-0000-0000-0000-000000000005", "ref=not.is.null&id=lt.12", "or=(rank.eq.1,name.eq.p2)", "and=(rank.gt.1,rank.lt.4)", "not.and=(rank.eq.1,active.is.true)",
		"id=lt.9&rank=gte.2", "rank=eq(any).{1,2}", "limit=100",
	)
}

func (r *reader) childrenWhere() string {
	return r.one(
		fmt.Sprintf("parent_id=eq.%d", 1+r.IntN(24)), fmt.Sprintf("amount=gte.%d", r.IntN(10)), fmt.Sprintf("kind=eq.k%d", r.IntN(4)),
		"parent_id=is.null", "at=lt.2020-01-01T00:30:00", "kind=in.(k1,k3)&amount=lt.7", "limit=100",
	)
}

// page is a total order with some of limit and offset.
func (r *reader) page(path, where string, orders ...string) read {
	where = strings.TrimPrefix(where, "limit=100")
	path += "?" + where + "&order=" + orders[r.IntN(len(orders))]
	if r.IntN(4) > 0 {
		path += fmt.Sprintf("&limit=%d", 1+r.IntN(6))
	}
	if r.IntN(4) == 0 {
		path += fmt.Sprintf("&offset=%d", 1+r.IntN(4))
	}
	return read{path: path, ordered: true}
}

func (r *reader) embed() read {
	path := r.one(
		"/parents?select=id,name,children(*)", "/parents?select=id,children(id,amount)&children.amount=gt.4", "/parents?select=*,children!inner(id)&children.kind=eq.k1",
		"/parents?select=id,rank,children()&children=is.null", "/parents?select=id,children()&children=not.is.null", "/parents?select=id,children(count())",
		"/parents?select=id,children(id,parents(id,name))", "/parents?select=id,pairs(*)", "/parents?select=id,pairs!inner(a,v)&pairs.v=gt.2",
		"/parents?select=id,children(id,amount)&children.order=amount.desc,id&children.limit=2", "/parents?select=id,links(*,pairs(v))",
		"/parents?select=id,name,children(id)&name=eq.p1", "/parents?select=id,...children(amount)", "/parents?select=id,children(amount.sum())",
		"/children?select=id,parents(*)", "/children?select=id,parents(id,name)&parents.rank=eq.2", "/children?select=id,...parents(name,rank)",
		"/children?select=id,parents!inner(id)&parents.active=is.true", "/children?select=id,amount,parents(rank)&order=parents(rank),id", "/children?select=id,parents()&parents=is.null",
		"/children?select=id,parents(id,pairs(a,b,v))", "/children?select=kind,parents(name)&kind=eq.k2", "/children?select=id,parents(id,children(id))",
	)
	q := read{path: path}
	if !strings.Contains(path, "order=parents") && r.IntN(3) == 0 {
		q.path += fmt.Sprintf("&order=id&limit=%d", 1+r.IntN(8))
		q.ordered = true
	}
	if r.IntN(2) == 0 && !strings.Contains(path, "name=eq") {
		q.path += fmt.Sprintf("&id=lte.%d", 1+r.IntN(30))
	}
	return q
}

// same says what of an answer must be the same whichever way it went: all of it, but for orders that nobody asked for.
func (q *read) same(a answer) string {
	body := a.body
	switch {
	case a.StatusCode >= 400 && strings.Contains(body, "PGRST116"): // its details count rows
	default:
		var v any
		if json.Unmarshal([]byte(body), &v) == nil {
			body = settled(v, q.ordered)
		}
	}
	return fmt.Sprint(a.StatusCode, " ", a.Header.Get("Content-Range"), " ", body)
}

// settled writes a value with the elements of arrays in a fixed order, but for those of the outermost where that is known.
func settled(v any, ordered bool) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = settled(v[i], false)
		}
		if !ordered {
			slices.Sort(parts)
		}
		return "[" + strings.Join(parts, ",\n") + "]"
	case map[string]any:
		var parts []string
		for k, member := range v {
			parts = append(parts, k+":"+settled(member, false))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	b, _ := json.Marshal(v)
	return string(b)
}
