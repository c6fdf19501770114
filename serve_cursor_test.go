package slipstream_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const (
	asPages = "Prefer: pagination=cursor"

	cursorSQL = `
		create table item (id int primary key, grp int, name text not null, note text, d date, f float8);
		insert into item select n, n % 7, 'name ' || n % 10, case when n % 3 = 0 then 'x' || n % 5 end, '2024-01-01'::date + n, n / 7.0 from generate_series(1, 100) n;
		create table other (id int primary key); insert into other select generate_series(1, 9);
		create table heap (n int); insert into heap values (1);
		create table pair (a int, b text, primary key (a, b)); insert into pair select n % 4, 'b' || n from generate_series(1, 20) n;
	`
)

// links are the Link headers by their relation.
func (a answer) links(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, l := range a.Header.Values("Link") {
		m := regexp.MustCompile(`^<(/[!-;=?-~]*)>; rel="(next|prev)"$`).FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("not a link: %s", l)
		}
		out[m[2]] = m[1]
	}
	return out
}

// ids are the values of id in the answer.
func (a answer) ids(t testing.TB) []int {
	t.Helper()
	var rows []struct{ ID int }
	if err := json.Unmarshal([]byte(a.body), &rows); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	out := make([]int, len(rows))
	for i, r := range rows {
		out[i] = r.ID
	}
	return out
}

func TestFollowingLinksGivesEveryRowOnce(t *testing.T) {
	s := serve(t, cursorSQL)
	for _, query := range []string{
		"", "&order=id.desc", "&order=grp", "&order=grp.desc,name", "&order=note.nullsfirst", "&order=note.desc.nullslast,grp", "&order=d.desc", "&order=f,name.desc",
		"&order=name,note.nullsfirst,grp.desc", "&id=gt.50&order=grp", "&order=name.desc,id.asc",
	} {
		t.Run(query, func(t *testing.T) {
			order := "order=id"
			if i := strings.Index(query, "order="); i >= 0 {
				order = query[i:] + ",id"
				if strings.HasSuffix(query, "desc") || strings.HasSuffix(query, "desc.nullslast") {
					order += ".desc" // the primary key follows the last term's direction
				}
			}
			plain := "/item?" + order
			if strings.Contains(query, "id=gt.50") {
				plain += "&id=gt.50"
			}
			want := s.get(plain).ids(t)
			var pages [][]int
			for path, first := "/item?select=id,name&limit=7"+query, true; path != ""; first = false {
				page := s.get(path, asPages)
				pages = append(pages, page.ids(t))
				links := page.links(t)
				if _, ok := links["prev"]; ok == first {
					t.Fatalf("page %d: links %v", len(pages), links)
				}
				if prev := links["prev"]; prev != "" {
					if back := s.get(prev, asPages).ids(t); !slices.Equal(back, pages[len(pages)-2]) {
						t.Fatalf("the page before %v is %v, want %v", pages[len(pages)-1], back, pages[len(pages)-2])
					}
				}
				path = links["next"]
			}
			if got := slices.Concat(pages...); !slices.Equal(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
}

func TestFollowingBackToTheStart(t *testing.T) {
	s := serve(t, cursorSQL)
	path := "/item?select=id&limit=30"
	var forth, back [][]int
	var last string
	for path != "" {
		page := s.get(path, asPages)
		forth, last, path = append(forth, page.ids(t)), path, page.links(t)["next"]
	}
	for path = s.get(last, asPages).links(t)["prev"]; path != ""; {
		page := s.get(path) // a cursor says it all
		links := page.links(t)
		if links["next"] == "" {
			t.Errorf("no next on the way back: %v", links)
		}
		back, path = append(back, page.ids(t)), links["prev"]
	}
	slices.Reverse(back)
	if fmt.Sprint(back) != fmt.Sprint(forth[:len(forth)-1]) {
		t.Errorf("back %v, forth %v", back, forth)
	}
}

func TestCursorPages(t *testing.T) {
	s := serve(t, cursorSQL+`create table tagged (id int primary key, cursor text); insert into tagged values (1, '1'), (2, '2'), (3, '1');`)
	first := s.get("/item?select=name&limit=2", asPages)
	first.check(t, 200, "*", "Content-Range: 0-1/*", "Preference-Applied: pagination=cursor")
	next := first.links(t)["next"]
	s.get(next, "Prefer: count=exact").check(t, 206, "[{\"name\":\"name 3\"}, \n {\"name\":\"name 4\"}]", "Content-Range: */100", "Preference-Applied: count=exact")
	head := s.send("HEAD", next)
	head.check(t, 200, "", "Content-Length:")
	if links := head.links(t); links["next"] == "" || links["prev"] == "" || links["next"] != s.get(next).links(t)["next"] {
		t.Errorf("HEAD: %v", links)
	}
	t.Run("no limit", func(t *testing.T) {
		all := s.get("/item?select=id", asPages)
		if links := all.links(t); len(all.ids(t)) != 100 || len(links) != 0 {
			t.Errorf("%d rows, %v", len(all.ids(t)), links)
		}
		rest := s.get(strings.Replace(next, "limit=2&", "", 1))
		if links := rest.links(t); len(links) != 1 || links["prev"] == "" {
			t.Errorf("links %v", links)
		}
	})
	t.Run("no rows", func(t *testing.T) {
		a := s.get("/item?id=gt.1000", asPages)
		a.check(t, 200, "[]", "Link:", "Content-Range: */*")
	})
	t.Run("two columns", func(t *testing.T) {
		var rows int
		for path := "/pair?limit=3"; path != ""; {
			a := s.get(path, asPages)
			rows += strings.Count(a.body, "{")
			path = a.links(t)["next"]
		}
		if rows != 20 {
			t.Errorf("%d rows", rows)
		}
	})
	t.Run("nulls stripped", func(t *testing.T) {
		s.get("/item?select=id,note&limit=1", asPages, "Accept: application/vnd.pgrst.array+json;nulls=stripped").check(t, 200, `[{"id":1}]`)
	})
	t.Run("a column of that name", func(t *testing.T) {
		s.get("/tagged?cursor=eq.1&select=id").check(t, 200, "[{\"id\":1}, \n {\"id\":3}]")
		page := s.get("/tagged?cursor=eq.1&select=id&limit=1", asPages)
		page.check(t, 200, `[{"id":1}]`)
		s.get(page.links(t)["next"]).check(t, 200, `[{"id":3}]`)
	})
	t.Run("CSV", func(t *testing.T) {
		s.get("/item?limit=1", asPages, "Accept: text/csv").check(t, 400, "*", "Proxy-Status: PostgREST; error=SLIP100")
	})
}

// A Link is a URL of its own: whatever the request's looked like, following it leads to the next page.
func TestLinksAreSafe(t *testing.T) {
	s := serve(t, cursorSQL+`create table "a>b c" (id int primary key, "n<>" text); insert into "a>b c" select n, 'x>y"z\' from generate_series(1, 9) n;`)
	for _, path := range []string{
		"/a%3Eb%20c?limit=2",
		"/a%3eb%20c?limit=2&",
		"/a%3Eb%20c?&&limit=2;select=id",
		"/a%3Eb%20c?limit=2&\"n<>\"=eq.x>y\"z\\",
		"/a%3Eb%20c?limit=2&%22n%3C%3E%22=eq.x%3Ey%22z%5C",
		"/a%3Eb%20c?limit=2&%22n%3C%3E%22=like.x%25",
	} {
		var ids []int
		url := "http://" + s.Addr() + path
		for n := 0; ; n++ {
			r, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				r.URL.RawQuery = path[strings.Index(path, "?")+1:]
			}
			r.Header.Set("Prefer", "pagination=cursor")
			a := s.do(r)
			ids = append(ids, a.ids(t)...)
			next := a.links(t)["next"]
			if next == "" {
				break
			}
			if strings.Count(next, "cursor=") != 1 {
				t.Fatalf("%s: cursors pile up: %s", path, next)
			}
			url = "http://" + s.Addr() + next
		}
		if fmt.Sprint(ids) != "[1 2 3 4 5 6 7 8 9]" {
			t.Errorf("%s: %v", path, ids)
		}
	}
	next := s.get("/item?select=id&limit=1", asPages).links(t)["next"]
	cursor := next[strings.Index(next, "cursor=")+7:]
	for _, path := range []string{
		"/item?cursor=" + cursor + "&select=id&limit=1",
		"/item?select=id&c%75rsor=" + cursor + "&limit=1",
		"/item?select=id;cursor=" + cursor + ";limit=1",
		"/item?select=id&limit=1&cursor=" + "%" + fmt.Sprintf("%X", cursor[0]) + cursor[1:],
	} {
		a := s.get(path)
		a.check(t, 200, `[{"id":2}]`)
		if follow := a.links(t)["next"]; strings.Contains(follow, cursor) || s.get(follow).body != `[{"id":3}]` {
			t.Errorf("%s leads to %s", path, follow)
		}
	}
}

func TestRefusedCursors(t *testing.T) {
	s := serve(t, cursorSQL)
	cursorOf := func(s *site, path string) string {
		u, err := url.Parse(s.get(path, asPages).links(t)["next"])
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("cursor")
	}
	good := cursorOf(s, "/item?limit=1")
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, path string) {
		t.Helper()
		a := s.get(path)
		if a.StatusCode != 400 || a.Header.Get("Proxy-Status") != "PostgREST; error=SLIP100" {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
	}
	for i := range raw {
		tampered := slices.Clone(raw)
		tampered[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("bit of byte %d", i), "/item?limit=1&cursor="+base64.RawURLEncoding.EncodeToString(tampered))
		refused(fmt.Sprintf("first %d bytes", i), "/item?limit=1&cursor=A"+base64.RawURLEncoding.EncodeToString(raw[:i]))
	}
	for i := 1; i < len(good); i++ {
		refused(fmt.Sprintf("first %d characters", i), "/item?limit=1&cursor="+good[:i])
	}
	for what, path := range map[string]string{
		"other relation":  "/other?limit=1&cursor=" + good,
		"other order":     "/item?limit=1&order=name&cursor=" + good,
		"other direction": "/item?limit=1&order=id.desc&cursor=" + good,
		"more":            "/item?limit=1&cursor=" + good + "AAAA",
		"no base64":       "/item?limit=1&cursor=!!!",
		"with an offset":  "/item?limit=1&offset=2&cursor=" + good,
		"of aggregates":   "/item?select=grp&limit=1&order=grp->x&cursor=" + good,
	} {
		refused(what, path)
	}
	stranger := serve(t, cursorSQL, func(c *slipstream.Config) { c.CursorSecret = "another secret of at least 32 bytes" })
	refused("other secret", "/item?limit=1&cursor="+cursorOf(stranger, "/item?limit=1"))
	friend := serve(t, cursorSQL)
	if got := s.get("/item?select=id&limit=1&cursor=" + cursorOf(friend, "/item?limit=1")); got.body != `[{"id":2}]` {
		t.Errorf("an instance with the same secret: %d %s", got.StatusCode, got.body)
	}
	s.get("/heap", asPages).check(t, 400, `{"code":"SLIP100","details":null,"hint":"Order by a unique key without NULLs, or use limit and offset","message":"'heap' has no primary key to make its order total"}`)
}

func TestCursorsNeedASecret(t *testing.T) {
	s := serve(t, cursorSQL, func(c *slipstream.Config) { c.JWTSecret = "" })
	s.get("/item", asPages).check(t, 400, `{"code":"SLIP100","details":null,"hint":"Set cursor-secret (or a shared jwt-secret, from which it is derived)","message":"Cursor pages are not configured"}`)
	s.get("/item?limit=1&select=id").check(t, 200, `[{"id":1}]`)
}

func TestCursorOfHiddenKey(t *testing.T) {
	s := serve(t, cursorSQL+`create table hidden (id int primary key, name text, code text not null unique); insert into hidden values (1, 'a', 'c1'), (2, 'b', 'c2');
		revoke all on hidden from ANON; grant select (name, code) on hidden to ANON; create table closed (id int primary key); revoke all on closed from ANON;`)
	s.get("/hidden?select=name&limit=1", asPages).check(t, 400,
		`{"code":"SLIP100","details":null,"hint":"Grant SELECT on the key columns, order by a unique key that may be read, or use limit and offset","message":"Cursor pages need to read 'id' of 'hidden', which the role may not"}`)
	a := s.get("/hidden?select=name&limit=1&order=code", asPages)
	a.check(t, 200, `[{"name":"a"}]`)
	s.get(a.links(t)["next"]).check(t, 200, `[{"name":"b"}]`)
	s.get("/hidden?select=id&order=code", asPages).check(t, 401, "*", "Proxy-Status: PostgREST; error=42501")
	if got := s.get("/closed", asPages); got.StatusCode/100 != 4 {
		t.Errorf("closed: %d", got.StatusCode)
	}
}
