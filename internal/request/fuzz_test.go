package request_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// check parses twice and holds Parse to what it promises for any input.
func check(t *testing.T, method string, u *url.URL, header http.Header) {
	t.Helper()
	r, err := request.Parse(method, u, header, settings)
	again, errAgain := request.Parse(method, u, header, settings)
	if !reflect.DeepEqual(r, again) || !reflect.DeepEqual(err, errAgain) {
		t.Fatalf("two answers: %+v %v and %+v %v", r, err, again, errAgain)
	}
	if err != nil {
		e := apierr.From(err)
		if e == nil || e.HTTPStatus() < 400 || e.HTTPStatus() > 499 {
			t.Fatalf("%v is not a refusal", err)
		}
		return
	}
	if len(r.Accept) == 0 {
		t.Fatal("nothing is accepted")
	}
	if r.Window.Offset < 0 || r.Window.Limit < request.NoLimit {
		t.Fatalf("window %+v", r.Window)
	}
	checkTags(t, r.IfMatch)
	checkTags(t, r.IfNoneMatch)
	checkValues(t, &r.Query)
}

// checkTags holds entity tags to what a header can say, and to matching themselves.
func checkTags(t *testing.T, tags *request.EntityTags) {
	t.Helper()
	if tags == nil {
		return
	}
	if tags.Any != (len(tags.List) == 0) {
		t.Fatalf("tags %+v", tags)
	}
	for _, tag := range tags.List {
		if strings.ContainsAny(tag.Opaque, "\" \t\r\n\x00\x7f") {
			t.Fatalf("tag %q", tag.Opaque)
		}
		if !tags.MatchesWeakly(tag) || tags.MatchesStrongly(tag) == tag.Weak {
			t.Fatalf("%+v is not in its own list", tag)
		}
	}
}

// checkValues finds every value of the tree among Values, and every one of Values in the tree.
func checkValues(t *testing.T, q *request.Query) {
	t.Helper()
	used := make([]bool, len(q.Values))
	use := func(v request.Value) {
		if v != request.NoValue {
			used[v] = true
		}
	}
	condition := func(c *request.Condition) {
		if (c.Value == request.NoValue) != (c.Operator == request.Is) || (c.Is == "") == (c.Operator == request.Is) {
			t.Fatalf("condition %+v", c)
		}
		use(c.Value)
		use(c.Language)
	}
	var logic func(l *request.Logic)
	logic = func(l *request.Logic) {
		if l.Condition != nil {
			condition(l.Condition)
		}
		for i := range l.Children {
			logic(&l.Children[i])
		}
	}
	for i := range q.Filters {
		condition(&q.Filters[i].Condition)
	}
	for i := range q.Logic {
		logic(&q.Logic[i].Logic)
	}
	for _, p := range q.Params {
		use(p.Value)
	}
	for i, ok := range used {
		if !ok {
			t.Fatalf("value %d is not in the tree", i)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, r := range requests {
		u, err := url.Parse(r.url)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(u.RawQuery, false)
	}
	f.Add("not.or=(a.fts(en).b,and(c.in.(1,\"2\"),d.is.null))&x.order=y.desc&x.limit=1&cursor=z", false)
	f.Add("a=1&b=eq.2&columns=a,b&on_conflict=c&a%=%&;;", true)
	f.Add("or=(fts(a).b(c", false)
	f.Fuzz(func(t *testing.T, query string, call bool) {
		u := &url.URL{Path: "/items", RawQuery: query}
		if call {
			u.Path = "/rpc/f"
		}
		check(t, "GET", u, nil)
	})
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/", "/a", "/rpc/a", "/a%2Fb", "//", "/a/b", "/%D9%85", "/%FF", "/rpc//"} {
		f.Add(p, "GET")
	}
	f.Fuzz(func(t *testing.T, path, method string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip()
		}
		check(t, method, u, nil)
	})
}

// fuzzHeader parses any two field lines of a header.
func fuzzHeader(f *testing.F, name string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s, s)
	}
	u := &url.URL{Path: "/items", RawQuery: "limit=10&offset=3"}
	f.Fuzz(func(t *testing.T, first, second string) {
		check(t, "GET", u, http.Header{name: {first, second}})
	})
}

func FuzzRange(f *testing.F) {
	fuzzHeader(f, "Range", "0-9", "5-", "9-3", "-5", "items=0-9", "00-99999999999999999999", "1-2-3")
}

func FuzzPrefer(f *testing.F) {
	fuzzHeader(f, "Prefer", "count=exact", "handling=strict, x", "max-affected=1, timezone=UTC", ",,=,", "return=minimal,return=representation")
}

func FuzzAccept(f *testing.F) {
	fuzzHeader(f, "Accept", "*/*", "text/csv;q=0.5, application/json", `application/vnd.pgrst.plan+json; for="a/b;q=1"; options=analyze|wal`,
		"application/vnd.pgrst.array;nulls=stripped", "a/b;q=nan", ";q=", "/", `a/b;x="`)
}

func FuzzIfMatch(f *testing.F) {
	fuzzHeader(f, "If-Match", "*", `"a"`, `W/"a", "b,c"`, `,"",`, `"a" "b"`, `"a`, `*, "a"`, "W/", "\"\xff\"", " * ")
}

func FuzzIfNoneMatch(f *testing.F) {
	fuzzHeader(f, "If-None-Match", "*", `"a"`, `W/"a", "b,c"`, "a")
}
