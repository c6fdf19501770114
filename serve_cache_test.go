package slipstream_test

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
)

const cachedTables = `
	create table item (id int primary key, name text not null, price int);
	insert into item select n, 'item ' || n, n * 10 from generate_series(1, 50) n;
	create table mark (id int primary key, n int);
	insert into mark values (1, 0);
	create table note (id int primary key, owner text, body text, item_id int references item);
	insert into note values (1, 'ann', 'of ann', 1), (2, 'bob', 'of bob', 2);
	alter table note enable row level security;
	create policy own on note using (owner = (current_setting('request.jwt.claims', true)::json ->> 'sub'));
	grant select, insert, update, delete on item, note to MEMBER;
	grant update on item to ANON;`

// cached is a server that keeps answers, and is certain of them.
func cached(t *testing.T, sql string, change ...func(*slipstream.Config)) *site {
	t.Helper()
	s := newSite(t, cachedTables+sql)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	s.config.CacheMode = "wal"
	s.config.CacheStaleness = time.Minute // a slow machine must not make misses of hits
	for _, f := range change {
		f(&s.config)
	}
	s.run()
	s.ready()
	s.live()
	return s
}

// outlives tells whether what is kept outlives a change. Other things may make it go, such as a table that is published
// late: then it is tried again.
func outlives(keep, change func(), hit func() bool) bool {
	for range 4 {
		keep()
		change()
		if hit() {
			return true
		}
	}
	return false
}

// live waits until answers are kept and served.
func (s *site) live() {
	s.t.Helper()
	eventually(s.t, "an answer comes out of the cache", func() bool {
		return s.kept("/item?select=id&id=eq.50", "") == "hit"
	})
}

// kept is what an answer says about the cache: hit, stored, or why it is neither.
func (s *site) kept(path, token string) string {
	s.t.Helper()
	_, status := s.cachedGet(path, token)
	switch {
	case strings.Contains(status, "; hit"):
		return "hit"
	case strings.Contains(status, "; stored"):
		return "stored"
	}
	_, detail, _ := strings.Cut(status, `detail="`)
	return strings.TrimSuffix(detail, `"`)
}

func (s *site) cachedGet(path, token string) (body, status string) {
	s.t.Helper()
	var headers []string
	if token != "" {
		headers = []string{token}
	}
	a := s.get(path, headers...)
	return a.body, a.Header.Get("Cache-Status")
}

func TestAnswersAreKeptUntilTheyAreWrong(t *testing.T) {
	s := cached(t, "create materialized view counted as select count(*) from item; create view total as select * from counted; grant select on counted, total to ANON;")
	ann := s.bearer(`"sub": "ann"`)
	for _, tc := range []struct{ what, path, unrelated, related, token string }{
		{"a row", "/item?id=eq.1", "update item set price = 1 where id = 2", "update item set price = 1 where id = 1", ""},
		{"a filter", "/item?price=lt.35&select=name", "update item set name = 'x' where id = 20", "update item set price = 5 where id = 40", ""},
		{"a page", "/item?order=id.desc&limit=3", "update item set name = 'y' where id = 7", "insert into item values (99, 'new')", ""},
		{"no rows", "/item?id=eq.1000", "insert into item select max(id) + 1, 'other' from item", "insert into item values (1000, 'it')", ""},
		{"one row that is not there", "/item?id=eq.2000", "insert into item select max(id) + 1, 'other' from item where id <> 2000", "insert into item values (2000, 'it')", ""},
		{"an embed", "/item?select=id,note(body)&id=eq.1", "insert into note select max(id) + 10, 'ann', 'other', 3 from note", "insert into note values (8, 'ann', 'more', 1)", ann},
		{"rows of one's own", "/note?select=body&order=id", "update item set name = 'z' where id = 9", "update note set body = 'changed' where id = 1", ann},
		{"a materialised view", "/counted", "insert into item select max(id) + 1, 'other' from item", "refresh materialized view counted", ""},
		{"a view of one", "/total", "insert into item select max(id) + 1, 'other' from item", "refresh materialized view counted", ""},
		{"a truncated table", "/note?select=body&item_id=eq.2", "update item set name = 'z' where id = 8", "truncate note", ann},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s.keepsThrough(t, tc.path, tc.token, tc.unrelated)
			before, _ := s.cachedGet(tc.path, tc.token)
			s.exec("set search_path to api;" + tc.related)
			s.settle()
			after, status := s.cachedGet(tc.path, tc.token)
			if strings.Contains(status, "hit") || after == before && tc.what != "a truncated table" {
				t.Errorf("after %s: %s: %s", tc.related, status, after)
			}
		})
	}
}

// keepsThrough fails the test if a change drops an answer that it does not concern. In the end, the answer is kept.
func (s *site) keepsThrough(t *testing.T, path, token, unrelated string) {
	t.Helper()
	hit := func() bool { return s.kept(path, token) == "hit" }
	keep := func() { eventually(t, "it is kept", hit) }
	change := func() {
		s.exec("set search_path to api;" + unrelated)
		s.settle()
	}
	if !outlives(keep, change, hit) {
		t.Errorf("it is gone after %s", unrelated)
	}
	keep()
}

// settle waits until all that was committed has arrived, by a row of its own that comes last.
func (s *site) settle() {
	s.t.Helper()
	const path = "/mark?select=n"
	eventually(s.t, "the mark is kept", func() bool { return s.kept(path, "") == "hit" })
	n := s.value("update api.mark set n = n + 1 returning n")
	eventually(s.t, "the mark has arrived", func() bool {
		body, _ := s.cachedGet(path, "")
		return body == `[{"n":`+n+`}]`
	})
	eventually(s.t, "the cache serves", func() bool { return s.kept(path, "") == "hit" })
}

// Nobody gets an answer that was made for somebody else.
func TestAnswersOfOthersAreNotGiven(t *testing.T) {
	s := cached(t, "")
	ann := s.bearer(`"sub": "ann"`)
	bob := s.bearer(`"sub": "bob"`)
	other := s.bearer(`"sub": "ann"`, `"jti": "another token"`)
	annAsks := func() {
		eventually(t, "ann's answer is kept", func() bool { return s.kept("/note?select=body", ann) == "hit" })
	}
	annAsks()
	for range 3 {
		if body, status := s.cachedGet("/note?select=body", bob); body != `[{"body":"of bob"}]` {
			t.Errorf("bob got %s (%s)", body, status)
		}
	}
	nothing := func() {}
	if !outlives(annAsks, nothing, func() bool { return s.kept("/note?select=body", other) == "hit" }) {
		t.Error("another token of the same subject has no hit")
	}
	asMember := func() {
		eventually(t, "an answer for all members is kept", func() bool { return s.kept("/item?id=eq.3", ann) == "hit" })
	}
	if !outlives(asMember, nothing, func() bool { return s.kept("/item?id=eq.3", bob) == "hit" }) {
		t.Error("bob, of the same role, has no hit")
	}
	if body, _ := s.cachedGet("/note?select=body", ""); body != "[]" && !strings.Contains(body, "42501") {
		t.Errorf("a stranger got %s", body)
	}
}

// Who has written and was answered reads what was written.
func TestOwnWritesAreReadAtOnce(t *testing.T) {
	s := cached(t, "")
	ann := s.bearer(`"sub": "ann"`)
	for i := range 300 {
		name := "name" + string(rune('a'+i%26))
		s.cachedGet("/item?id=eq.5&select=name", "")
		if a := s.write(http.MethodPatch, "/item?id=eq.5", `{"name":"`+name+`"}`, ann); a.StatusCode != http.StatusNoContent {
			t.Fatal(a.StatusCode, a.body)
		}
		if body, status := s.cachedGet("/item?id=eq.5&select=name", ""); body != `[{"name":"`+name+`"}]` {
			t.Fatalf("write %d of %s, read %s (%s)", i, name, body, status)
		}
	}
}

func TestWhatIsNotKept(t *testing.T) {
	s := cached(t, `
		create view recent as select * from item where now() > '2000-01-01';
		grant select on recent to ANON;
		create function loud() returns int language plpgsql stable as $$ begin return 1; end $$;`)
	for path, want := range map[string]string{
		"/recent":                 "recent calls now(), whose result depends on more than its arguments",
		"/rpc/loud":               "calls loud(), whose body is a text that is not looked into",
		"/item?select=name::date": "has a cast to date",
		"/nothing":                "is refused with PGRST205",
	} {
		if got := s.kept(path, ""); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := s.get("/item?select=id&id=eq.50", "Cache-Control: no-cache").Header.Get("Cache-Status"); got != `Slipstream; fwd=request; detail="the request says no-cache"` {
		t.Error(got)
	}
}

// A change of the schema or of a policy leaves nothing of before.
func TestSchemaChangesEmptyTheCache(t *testing.T) {
	schemaChangesAreSeen(t, cached(t, ""))
}

func schemaChangesAreSeen(t *testing.T, s *site) {
	t.Helper()
	ann := s.bearer(`"sub": "ann"`)
	for _, change := range []struct{ sql, path, want string }{
		{"alter table api.item add column extra int default 7", "/item?id=eq.1&select=*", `"extra":7`},
		{"alter table api.item drop column extra", "/item?id=eq.1&select=*", `"price":10}]`},
		{"alter policy own on api.note using (true)", "/note?select=body&order=id", `of bob`},
		{"revoke select on api.item from ANON", "/item?id=eq.1&select=*", "42501"},
	} {
		token := ""
		if strings.HasPrefix(change.path, "/note") {
			token = ann
		}
		eventually(t, "it is kept", func() bool { return s.kept(change.path, token) == "hit" })
		s.exec(change.sql)
		eventually(t, "the change is seen: "+change.sql, func() bool {
			body, _ := s.cachedGet(change.path, token)
			return strings.Contains(body, change.want)
		})
		for range 20 { // and for good
			if body, status := s.cachedGet(change.path, token); !strings.Contains(body, change.want) {
				t.Fatalf("after %s: %s (%s)", change.sql, body, status)
			}
		}
	}
}

// Without what it needs the cache is not there, and says why.
func TestWithoutAFeedNothingIsKept(t *testing.T) {
	s := serve(t, cachedTables)
	eventually(t, "the reason is known", func() bool { return strings.Contains(s.CacheStatus().Reason, "slipstream cache install") })
	if a := s.get("/item?id=eq.1"); a.Header.Get("Cache-Status") != "" || a.Header.Get("Etag") != "" {
		t.Errorf("%v", a.Header)
	}
	off := serve(t, cachedTables, func(c *slipstream.Config) { c.CacheMode = "off" })
	if st := off.CacheStatus(); st.Mode != "off" {
		t.Errorf("%+v", st)
	}
}

// What was changed before the feed was live is not in it: the catalog must be younger than the feed.
func TestSchemaChangesBeforeTheFeedAreKnown(t *testing.T) {
	s := newSite(t, cachedTables+"alter policy own on note using (true);")
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	s.config.CacheMode = "wal"
	writer, err := pgx.Connect(t.Context(), s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close(context.Background())
	for _, sql := range []string{"begin", "select pg_current_xact_id()"} { // the slot waits for its end
		if _, err := writer.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s.run()
	s.ready()
	eventually(t, "the slot is waited for", func() bool {
		return s.value("select count(*)::text from pg_stat_activity where query like 'CREATE_REPLICATION_SLOT%' and state = 'active'") != "0"
	})
	s.exec("alter policy own on api.note using (owner = (current_setting('request.jwt.claims', true)::json ->> 'sub'))")
	if _, err := writer.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	s.live()
	ann, bob := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bob"`)
	eventually(t, "ann's answer is kept", func() bool { return s.kept("/note?select=body", ann) == "hit" })
	if body, status := s.cachedGet("/note?select=body", bob); body != `[{"body":"of bob"}]` {
		t.Errorf("bob got %s (%s)", body, status)
	}
}

// Between a change of a policy and the report of it, rows are those of the new policy, and keys still those of the old one.
func TestNewPoliciesAreNotMixedWithOldKeys(t *testing.T) {
	s := serveCached(t, cachedTables+`
		create table diary (id int primary key, owner text);
		insert into diary values (1, 'ann'), (2, 'bob');`)
	ann, bob := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bob"`)
	eventually(t, "members share an answer", func() bool {
		s.get("/diary?select=owner&order=id", ann)
		return s.kept("/diary?select=owner&order=id", bob) == "hit"
	})
	pid, err := strconv.Atoi(s.value("select active_pid from pg_replication_slots where database = current_database()"))
	if err != nil {
		t.Fatal(err)
	}
	sender, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Signal(syscall.SIGSTOP); err != nil {
		t.Skipf("the server's processes are not ours: %v", err)
	}
	defer func() { _ = sender.Signal(syscall.SIGCONT) }()
	s.exec(`alter table api.diary enable row level security;
		create policy own on api.diary using (owner = (current_setting('request.jwt.claims', true)::json ->> 'sub'))`)
	for range 3 {
		if body, status := s.cachedGet("/diary?select=owner", ann); body != `[{"owner":"ann"}]` {
			t.Fatalf("ann got %s (%s)", body, status)
		}
		if body, status := s.cachedGet("/diary?select=owner", bob); body != `[{"owner":"bob"}]` {
			t.Fatalf("bob got %s (%s)", body, status)
		}
	}
}
