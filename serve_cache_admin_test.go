package slipstream_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// serveCached is serve with a database that tells its changes, an admin server, and a cache that is open.
func serveCached(t testing.TB, sql string, change ...func(*slipstream.Config)) *site {
	t.Helper()
	pgtest.Server(t) // has wal_level = logical
	s := newSite(t, sql)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	s.config.AdminServerPort = slipstream.AnyPort
	s.config.CacheStaleness = time.Minute // a slow machine must not make misses of hits
	for _, f := range change {
		f(&s.config)
	}
	s.run()
	s.ready()
	eventually(t, "the cache is open", func() bool { return s.CacheStatus().Mode == "wal" })
	return s
}

// hit asks until the answer comes out of the cache: whether a fill is stored depends on what else happens in the database.
func (s *site) hit(path string, headers ...string) answer {
	s.t.Helper()
	var a answer
	eventually(s.t, "a hit of "+path, func() bool {
		a = s.get(path, headers...)
		return strings.HasSuffix(a.Header.Get("Cache-Status"), "; hit")
	})
	return a
}

// askAdmin asks the admin server.
func (s *site) askAdmin(method, path, body string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.AdminAddr()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return s.do(r)
}

// explain is what the admin server says of a GET.
func (s *site) explain(path string, headers map[string]string) slipstream.CacheExplanation {
	s.t.Helper()
	question, err := json.Marshal(map[string]any{"url": path, "headers": headers})
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.askAdmin("POST", "/cache/explain", string(question))
	return explanation(s.t, a)
}

func explanation(t testing.TB, a answer) (e slipstream.CacheExplanation) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
	}
	return e
}

const cachedItems = `
create table maker (id int primary key, name text);
create table item (id int primary key, maker int references maker, name text, owner text, price numeric);
insert into maker values (1, 'A'), (2, 'B');
insert into item select n, 1 + n % 2, 'item ' || n, 'ann', n from generate_series(1, 20) n;
create view cheap as select * from item where price < 5;
create view ticking as select *, now() as read from item;
create table log (line text);
create table note (id int primary key, owner text, body text);
insert into note values (1, 'ann', 'hush'), (2, 'bob', 'shh');
alter table note enable row level security;
create policy own on note for select using (owner = current_setting('request.jwt.claims', true)::json ->> 'sub');
create table part (id int, at date, n int, primary key (id, at)) partition by range (at);
create table part_1 (n int, at date not null, id int not null);
alter table part attach partition part_1 for values from ('2024-01-01') to ('2025-01-01');
insert into part values (1, '2024-05-01', 1);`

func TestCacheStatusOverAdmin(t *testing.T) {
	s := serveCached(t, cachedItems)
	s.hit("/item?id=eq.5")
	var status slipstream.CacheStatus
	if err := json.Unmarshal([]byte(s.askAdmin("GET", "/cache", "").body), &status); err != nil {
		t.Fatal(err)
	}
	if status.Mode != "wal" || status.Hits == 0 || status.Entries == 0 || status.Bytes == 0 || status.Tables < 4 || status.LagMilliseconds < 0 {
		t.Errorf("%+v", status)
	}
}

// Heartbeats rest while nobody uses the cache. What was certain before them is no lag: an idle server would seem to fall behind for ever.
func TestAnIdleCacheHasNoLag(t *testing.T) {
	s := serveCached(t, cachedItems)
	s.get("/item?id=eq.5")
	eventually(t, "no lag", func() bool { return s.CacheStatus().LagMilliseconds < 0 })
	if metrics := s.askAdmin("GET", "/metrics", "").body; !strings.Contains(metrics, "\nslipstream_cache_feed_lag_seconds NaN\n") {
		t.Error("the metrics have a lag")
	}
	s.get("/item?id=eq.5")
	eventually(t, "a lag", func() bool { return s.CacheStatus().LagMilliseconds >= 0 })
}

func TestCacheMetricsOfAServer(t *testing.T) {
	s := serveCached(t, cachedItems)
	s.hit("/item?id=eq.5")
	for path, header := range map[string]string{"/ticking": "", "/item": "Cache-Control: no-cache", "/item?select=count()": "", "/": "", "/nowhere": ""} {
		if header == "" {
			s.get(path)
		} else {
			s.get(path, header)
		}
	}
	metrics := s.askAdmin("GET", "/metrics", "").body
	for _, line := range []string{
		`slipstream_cache_mode{mode="wal"} 1`,
		`slipstream_cache_bypasses_total{reason="relation"} 1`,
		`slipstream_cache_bypasses_total{reason="request"} 1`,
		`slipstream_cache_bypasses_total{reason="target"} 1`,
		`slipstream_cache_bypasses_total{reason="refused"} 2`,
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	for _, start := range []string{`slipstream_cache_hits_total{tier="l1"} `, `slipstream_cache_stored_total `, `slipstream_cache_feed_lag_seconds `} {
		if !strings.Contains(metrics, "\n"+start) || strings.Contains(metrics, "\n"+start+"0\n") || strings.Contains(metrics, "\n"+start+"NaN\n") {
			t.Errorf("no line %s", start)
		}
	}
}

func TestExplain(t *testing.T) {
	s := serveCached(t, cachedItems)
	e := s.explain("/item?id=eq.5", nil)
	if e.Verdict != "miss" || e.Kind != "absent" || len(e.Key) != 32 || e.Route != "item" || e.Role != s.anon || e.Entry != nil || !slices.Equal(e.Tables, []string{"api.item"}) {
		t.Errorf("before it was asked for: %+v", e)
	}
	s.hit("/item?id=eq.5")
	before := s.CacheStatus().Hits
	e = s.explain("/item?id=eq.5", nil)
	if e.Verdict != "hit" || e.Because != "" || e.Entry == nil || e.Entry.Hits != 1 || e.Entry.Bytes == 0 || e.Entry.ExpiresMilliseconds != nil {
		t.Fatalf("%+v", e)
	}
	if s.CacheStatus().Hits != before {
		t.Error("the question was counted as a hit")
	}
	want := []slipstream.CacheDependency{
		{Table: "api.item", Change: "before", Columns: []string{"id"}, Rows: 1},
		{Table: "api.item", Change: "after", Columns: []string{"id"}, Rows: 1},
	}
	if diff := cmp.Diff(want, e.Entry.DependsOn); diff != "" {
		t.Error(diff)
	}
	// A GET can be asked, with the URL as it is or encoded.
	for _, query := range []string{"url=/item?id=eq.5", "url=%2Fitem%3Fid%3Deq.5", "url=http%3A%2F%2Flocalhost%3A3000%2Fitem%3Fid%3Deq.5"} {
		if got := explanation(t, s.askAdmin("GET", "/cache/explain?"+query, "")); got.Key != e.Key || got.Verdict != "hit" {
			t.Errorf("%s: %+v", query, got)
		}
	}
	s.exec("update api.item set name = 'new' where id = 5")
	eventually(t, "the change drops the answer", func() bool { return s.explain("/item?id=eq.5", nil).Verdict == "miss" })
}

func TestExplainPages(t *testing.T) {
	s := serveCached(t, cachedItems)
	if e := s.explain("/part?select=id", nil); !slices.Equal(e.Tables, []string{"api.part_1"}) {
		t.Errorf("a partitioned table: %+v", e)
	}
	const page = "/item?price=gt.3&order=id&limit=2&select=id,maker(name)"
	s.hit(page)
	e := s.explain(page, nil)
	if e.Entry == nil || !slices.Equal(e.Tables, []string{"api.item", "api.maker"}) {
		t.Fatalf("%+v", e)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(e.Entry.DependsOn, func(d slipstream.CacheDependency) bool {
		return slices.Equal(d.Where, []string{"sorts before the end of the page, by id"})
	}) {
		t.Errorf("the page's end is not told: %s", text)
	}
}

func TestExplainBypass(t *testing.T) {
	s := serveCached(t, cachedItems)
	for path, want := range map[string][2]string{
		"/log":             {"unfollowed", "depends on a table whose changes are not told"}, // it has no key
		"/ticking":         {"relation", "ticking calls now(), whose result depends on more than its arguments"},
		"/nowhere":         {"refused", "is refused with PGRST205"},
		"/item?name=what.": {"refused", "is refused with PGRST100"},
		"/":                {"target", "is the root"},
	} {
		e := s.explain(path, nil)
		if e.Verdict != "bypass" || e.Kind != want[0] || e.Because != want[1] || e.Entry != nil {
			t.Errorf("%s: %+v, want %s", path, e, want)
		}
		if status := s.get(path).Header.Get("Cache-Status"); !strings.Contains(status, "fwd=bypass") {
			t.Errorf("%s: %s", path, status)
		}
	}
	e := s.explain("/item", map[string]string{"Authorization": "Bearer nonsense"})
	if e.Verdict != "bypass" || e.Kind != "caller" || !strings.HasPrefix(e.Because, "is refused with PGRST301: ") {
		t.Errorf("%+v", e)
	}
	if e = s.explain("/item", map[string]string{"Cache-Control": "no-cache"}); e.Kind != "request" {
		t.Errorf("%+v", e)
	}
}

func TestExplainCallers(t *testing.T) {
	s := serveCached(t, cachedItems)
	bearer := func(sub string) string { return s.bearer(`"sub": "` + sub + `"`) }
	s.hit("/note", bearer("ann"))
	ask := func(sub string) answer {
		question, _ := json.Marshal(map[string]any{"url": "/note", "headers": map[string]string{
			"Authorization": strings.TrimPrefix(bearer(sub), "Authorization: "),
		}})
		return s.askAdmin("POST", "/cache/explain", string(question))
	}
	mine := ask("ann")
	ann, bob := explanation(t, mine), explanation(t, ask("bob"))
	if ann.Verdict != "hit" || bob.Verdict != "miss" || ann.Key == bob.Key || ann.Role != s.member {
		t.Errorf("ann %+v\nbob %+v", ann, bob)
	}
	if diff := cmp.Diff([]string{"request.jwt.claims->sub"}, ann.Caller); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{"ann", "hush", "eyJ"} {
		if strings.Contains(mine.body, secret) {
			t.Errorf("%s is told: %s", secret, mine.body)
		}
	}
	// All of a role share what does not look at them.
	s.hit("/item?id=eq.1", bearer("ann"))
	if e := s.explain("/item?id=eq.1", map[string]string{"Authorization": "Bearer " + s.token(s.member, `"sub": "bob"`)}); e.Verdict != "hit" || len(e.Caller) > 0 {
		t.Errorf("%+v", e)
	}
}

func TestPurge(t *testing.T) {
	s := serveCached(t, cachedItems)
	all := []string{"/item?id=eq.1", "/item?id=eq.2", "/cheap", "/maker", "/part?id=eq.1&at=eq.2024-05-01"}
	for _, c := range []struct {
		order string
		drops []string
	}{
		{`{"table": "api.item", "key": {"id": 1}}`, []string{"/item?id=eq.1", "/cheap"}}, // a view is kept by whole tables
		{`{"table": "api.item", "key": {"id": "2"}}`, []string{"/item?id=eq.2", "/cheap"}},
		{`{"table": "api.maker"}`, []string{"/maker"}},
		{`{"tag": "api.maker"}`, []string{"/maker"}},
		{`{"table": "api.cheap"}`, []string{"/item?id=eq.1", "/item?id=eq.2", "/cheap"}},
		{`{"table": "api.part"}`, []string{"/part?id=eq.1&at=eq.2024-05-01"}},
		{`{"table": "api.part", "key": {"id": 1, "at": "1 May 2024"}}`, []string{"/part?id=eq.1&at=eq.2024-05-01"}},
		{`{"all": true}`, all},
	} {
		for _, path := range all {
			s.hit(path)
		}
		s.askAdmin("POST", "/cache/purge", c.order).check(t, 200, `{"purged":true}`+"\n")
		for _, path := range all {
			want := "hit"
			if slices.Contains(c.drops, path) {
				want = "miss"
			}
			if e := s.explain(path, nil); e.Verdict != want {
				t.Errorf("after %s, %s is a %s", c.order, path, e.Verdict)
			}
		}
	}
}

// Whoever is told of a purge, a server or by SQL, all that listen on the channel have it done.
func TestPurgeIsForAllInstances(t *testing.T) {
	listening := func(c *slipstream.Config) { c.DisableChannel, c.DBPool = false, 2 }
	t.Run("wal", func(t *testing.T) { serveCached(t, cachedItems, listening).purgesWith(t, "wal") })
	t.Run("ttl", func(t *testing.T) { serve(t, cachedItems, listening, everything, modeTTL).purgesWith(t, "ttl") })
}

func (s *site) purgesWith(t *testing.T, mode string) {
	other := *s
	other.t = t
	other.run()
	other.ready()
	eventually(t, "the other's cache is open", func() bool { return other.CacheStatus().Mode == mode })
	both := []*site{s, &other}
	verdict := func(path, want string) {
		t.Helper()
		for _, one := range both {
			eventually(t, "a "+want+" of "+path, func() bool {
				if want == "hit" {
					one.get(path)
				}
				return one.explain(path, nil).Verdict == want
			})
		}
	}
	post := func(order string) func() {
		return func() { s.askAdmin("POST", "/cache/purge", order).check(t, 200, `{"purged":true}`+"\n") }
	}
	notify := func(order string) func() {
		return func() { s.exec("notify pgrst, 'purge cache " + order + "'") }
	}
	for _, c := range []struct {
		order       func()
		drops, left string // "/" is never kept
	}{
		{post(`{"table": "api.item", "key": {"id": 1}}`), "/item?id=eq.1", "/maker"},
		{post(`{"tag": "api.maker"}`), "/maker", "/item?id=eq.2"},
		{notify(`{"table": "api.item", "key": {"id": 2}}`), "/item?id=eq.2", "/maker"},
		{post(`{"all": true}`), "/item?id=eq.1", "/"},
		{notify(`of everything`), "/item?id=eq.2", "/"}, // it cannot be known what that was to be
		{notify(`{"table": "api.nowhere"}`), "/maker", "/"},
	} {
		for _, path := range []string{c.drops, c.left} {
			if path != "/" {
				verdict(path, "hit")
			}
		}
		c.order()
		verdict(c.drops, "miss")
		for _, one := range both {
			if e := one.explain(c.left, nil); c.left != "/" && e.Verdict != "hit" {
				t.Errorf("%s is a %s, too: %s", c.left, e.Verdict, e.Because)
			}
		}
	}
	a := s.askAdmin("POST", "/cache/purge", `{"table": "api.item", "key": {"name": "`+strings.Repeat("x", 8000)+`"}}`)
	if a.StatusCode != 400 || !strings.Contains(a.body, "cannot be sent to the other servers") {
		t.Errorf("a large key: %d %s", a.StatusCode, a.body)
	}
}

func TestCacheAdminRefuses(t *testing.T) {
	s := serveCached(t, cachedItems)
	for order, want := range map[string]string{
		`{}`:                                        "It is not clear what to drop",
		`{"all": true, "table": "api.item"}`:        "It is not clear what to drop",
		`{"all": true, "key": {"id": 1}}`:           "There is a key, but no table",
		`{"table": "item"}`:                         "There is no table item",
		`{"table": "api.item", "key": {"no": 1}}`:   "The key has a column that api.item has not",
		`{"table": "api.item", "key": {"id": "x"}}`: "The key's id is no integer",
		`{"table": "api.item", "key": {"id": [1]}}`: "The key's id is neither text nor number",
		`{"tables": "api.item"}`:                    `The body cannot be read: unknown field \"tables\"`,
		`{"all": true} {}`:                          "The body goes on after its object",
		`all`:                                       "The body cannot be read: invalid character 'a' looking for beginning of value",
	} {
		a := s.askAdmin("POST", "/cache/purge", order)
		if a.StatusCode != 400 || !strings.Contains(a.body, `"code":"SLIP117"`) || !strings.Contains(a.body, `"message":"`+want+`"`) {
			t.Errorf("%s: %d %s", order, a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"/cache/explain", "/cache/explain?url=item", "/cache/explain?url=:"} {
		if a := s.askAdmin("GET", path, ""); a.StatusCode != 400 || !strings.Contains(a.body, "SLIP117") {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	// A page in a browser can send this without asking.
	r, err := http.NewRequest("POST", "http://"+s.AdminAddr()+"/cache/purge", io.NopCloser(strings.NewReader(`{"all": true}`)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/plain")
	if a := s.do(r); a.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d", a.StatusCode)
	}
}

func TestCacheAdminWithoutCache(t *testing.T) {
	s := serve(t, cachedItems, func(c *slipstream.Config) { c.CacheMode, c.AdminServerPort = "off", slipstream.AnyPort })
	if e := s.explain("/item", nil); e.Verdict != "bypass" || e.Kind != "closed" || e.Because != "nothing is cached: cache-mode is off" {
		t.Errorf("%+v", e)
	}
	s.askAdmin("POST", "/cache/purge", `{"all": true}`).check(t, 400, "*")
	if body := s.askAdmin("GET", "/cache", "").body; !strings.Contains(body, `"mode":"off"`) {
		t.Error(body)
	}
	if metrics := s.askAdmin("GET", "/metrics", "").body; !strings.Contains(metrics, `slipstream_cache_mode{mode="off"} 1`) {
		t.Error("the mode is not told")
	}
}
