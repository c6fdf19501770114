package slipstream_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// limitedTables has a materialised view and others that nobody can follow; without keys and without an installation.
const limitedTables = `
	create table item (id int, name text);
	insert into item values (1, 'one'), (2, 'two');
	create table plain (id int primary key, n int);
	insert into plain values (1, 1);
	create materialized view counted as select count(*) as n from item;
	create view ticking as select id, name, now() as at from item;
	create table note (id int, owner text, body text);
	insert into note values (1, 'ann', 'of ann'), (2, 'bob', 'of bob');
	alter table note enable row level security;
	create policy own on note using (owner = (current_setting('request.jwt.claims', true)::json ->> 'sub'));
	create table open_note (id int, owner text);
	insert into open_note values (1, 'ann'), (2, 'bob');
	create function uid() returns text stable begin atomic select 'bob'; end;
	create view mine as select id, owner from open_note where owner = uid();
	create function loud() returns text stable language sql as $$ select current_setting('request.jwt.claims', true)::json ->> 'sub' $$;
	create view shouted as select loud() as who, now() as at;
	create function rename(n int) returns void language plpgsql as $$ begin update api.item set name = 'called' where id = n; end $$;
	grant select, insert, update, delete on item, open_note to ANON, MEMBER;`

// everything keeps all relations for an hour.
func everything(c *slipstream.Config) {
	c.Relations = map[string]slipstream.RelationGuards{"*": {Cache: new("ttl"), CacheTTL: new(time.Hour)}}
	c.AdminServerPort = slipstream.AnyPort
}

func modeTTL(c *slipstream.Config) { c.CacheMode = "ttl" }

// limitedHit asks until the answer comes out of the cache, and holds it to say for how long it is fresh.
func (s *site) limitedHit(path string, headers ...string) answer {
	s.t.Helper()
	var a answer
	eventually(s.t, "a hit of "+path, func() bool {
		a = s.get(path, headers...)
		return strings.HasPrefix(a.Header.Get("Cache-Status"), "Slipstream; hit; ttl=")
	})
	return a
}

// In mode ttl nothing is asked of the database, and what has not opted in goes by the cache as if there were none.
func TestModeTTLNeedsNothingOfTheDatabase(t *testing.T) {
	s := serve(t, limitedTables, modeTTL, func(c *slipstream.Config) {
		c.Relations = map[string]slipstream.RelationGuards{
			"counted": {Cache: new("ttl"), CacheTTL: new(time.Hour)}, "ticking": {Cache: new("ttl"), CacheTTL: new(time.Hour)},
			"plain": {CacheTTL: new(time.Hour)}, // a cap, which is no leave to be wrong
		}
	})
	for _, path := range []string{"/counted", "/ticking?id=eq.1&order=name&limit=1"} {
		first := s.get(path)
		first.check(t, 200, "*", "Cache-Status: Slipstream; fwd=miss; stored")
		s.limitedHit(path).check(t, 200, first.body, "ETag: "+first.Header.Get("ETag"))
		s.get(path, "If-None-Match: "+first.Header.Get("ETag")).check(t, 304, "")
	}
	s.exec("insert into api.item values (3, 'three'); refresh materialized view api.counted")
	s.limitedHit("/counted").check(t, 200, `[{"n":2}]`) // which is what was asked for
	for _, path := range []string{"/plain", "/item"} {
		for range 2 {
			s.get(path).check(t, 200, "*", "Cache-Status:", "ETag:")
		}
	}
	status := s.CacheStatus()
	if status.Mode != "ttl" || !strings.Contains(status.Reason, "slipstream cache install") {
		t.Errorf("%+v", status)
	}
	if n := s.value("select count(*) from pg_stat_replication where usename = 'LOGIN'"); n != "0" {
		t.Errorf("%s replication connections", n)
	}
	if err := s.PurgeCache(t.Context(), slipstream.CachePurge{Table: "api.counted"}); err != nil {
		t.Fatal(err)
	}
	s.get("/counted").check(t, 200, `[{"n":3}]`, "Cache-Status: Slipstream; fwd=miss; stored")
}

// Where changes are followed, what can be exact is, and the rest is kept for its time.
func TestTTLBesideExactAnswers(t *testing.T) {
	s := serveCached(t, limitedTables, everything)
	entry := func(path string) (e slipstream.CacheEntry) {
		eventually(t, path+" is kept", func() bool {
			s.limitedHit(path)
			found := s.explain(path, nil).Entry
			if found != nil {
				e = *found
			}
			return found != nil
		})
		return e
	}
	if e := entry("/plain"); !e.Limited || len(e.DependsOn) == 0 {
		t.Errorf("what can be exact is not: %+v", e)
	}
	if e := entry("/ticking"); !e.Limited || len(e.DependsOn) != 0 || fmt.Sprint(e.Tags) != "[api.item api.ticking]" {
		t.Errorf("%+v", e)
	}
	n := 1
	change := func() {
		n++
		s.limitedHit("/plain?id=eq.1")
		s.exec(fmt.Sprintf("update api.plain set n = %d where id = 1", n))
		want := fmt.Sprintf(`[{"id":1,"n":%d}]`, n)
		eventually(t, "the change arrives", func() bool { return s.get("/plain?id=eq.1").body == want })
	}
	keep := func() { s.limitedHit("/plain?id=eq.9") }
	if !outlives(keep, change, func() bool { return s.explain("/plain?id=eq.9", nil).Verdict == "hit" }) {
		t.Error("the answer of another row is gone")
	}
}

func TestTTLAnswersOfOthersAreNotGiven(t *testing.T) {
	s := serve(t, limitedTables, modeTTL, everything)
	ann, bob := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bob"`)
	s.limitedHit("/note?select=body", ann).check(t, 200, `[{"body":"of ann"}]`, "Cache-Control: private, no-cache")
	s.get("/note?select=body", bob).check(t, 200, `[{"body":"of bob"}]`, "Cache-Status: Slipstream; fwd=miss; stored")
	s.limitedHit("/open_note", ann)
	s.get("/open_note", bob).check(t, 200, "*", "Cache-Control: private, no-cache")
	for range 2 { // whoever asks, it is not known what the function reads
		s.get("/shouted?select=who", ann).check(t, 200, `[{"who":"ann"}]`)
		s.get("/shouted?select=who", bob).check(t, 200, `[{"who":"bob"}]`)
	}
}

// Nothing tells of definitions that change. All the same, nobody gets what they keep for others.
func TestTTLAnswersUnderNewDefinitions(t *testing.T) {
	const claim = `(current_setting('request.jwt.claims', true)::json ->> 'sub')`
	for what, change := range map[string]struct{ path, sql string }{
		"a policy and row level security": {"/open_note", "create policy own on open_note using (owner = " + claim + "); alter table open_note enable row level security"},
		"another policy":                  {"/note", "create policy elder on note as restrictive using (owner = " + claim + "); alter policy own on note using (true)"},
		"a view":                          {"/mine", "create or replace view mine as select id, owner from open_note where owner = " + claim},
		"a function":                      {"/mine", "create or replace function uid() returns text stable begin atomic select " + claim + "; end"},
		"another table of that name":      {"/open_note", "alter table open_note rename to old; alter table note rename to open_note"},
	} {
		t.Run(what, func(t *testing.T) {
			s := serve(t, limitedTables, modeTTL, everything)
			ann, bob := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bob"`)
			path := change.path + "?select=owner"
			s.limitedHit(path, ann)
			s.exec("set search_path to api; " + change.sql)
			if err := s.PurgeCache(t.Context(), slipstream.CachePurge{All: true}); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				s.get(path, ann).check(t, 200, `[{"owner":"ann"}]`)
				s.get(path, bob).check(t, 200, `[{"owner":"bob"}]`)
			}
			// The server finds out by itself, and keeps answers again.
			s.limitedHit(path, ann).check(t, 200, `[{"owner":"ann"}]`)
			s.limitedHit(path, bob).check(t, 200, `[{"owner":"bob"}]`)
		})
	}
}

// Who writes through the server reads what was written, also where nothing else would tell.
func TestOwnWritesDropTTLAnswers(t *testing.T) {
	for mode, start := range map[string]func(testing.TB, string, ...func(*slipstream.Config)) *site{"ttl": serve, "wal": serveCached} {
		t.Run(mode, func(t *testing.T) {
			set := func(c *slipstream.Config) {
				everything(c)
				if mode == "ttl" {
					c.CacheMode = mode
				}
			}
			s := start(t, limitedTables, set)
			for i, write := range []func(name string) answer{
				func(name string) answer {
					return s.write(http.MethodPatch, "/item?id=eq.1", `{"name":"`+name+`"}`)
				},
				func(name string) answer {
					return s.write(http.MethodPost, "/", `{"operations":[{"method":"PATCH","path":"/item?id=eq.1","body":{"name":"`+name+`"}}]}`,
						"Content-Type: application/vnd.slipstream.batch+json")
				},
				func(string) answer { return s.write(http.MethodPost, "/rpc/rename", `{"n":1}`) },
			} {
				name := fmt.Sprintf("name %d", i)
				if i == 2 {
					name = "called"
				}
				for _, path := range []string{"/item?id=eq.1&select=name", "/ticking?id=eq.1&select=name"} {
					s.limitedHit(path)
				}
				if a := write(name); a.StatusCode >= 300 {
					t.Fatal(a.StatusCode, a.body)
				}
				for _, path := range []string{"/item?id=eq.1&select=name", "/ticking?id=eq.1&select=name"} {
					s.get(path).check(t, 200, `[{"name":"`+name+`"}]`)
				}
			}
		})
	}
}

// With stale-while-revalidate nobody waits when the time is over.
func TestTTLRenewals(t *testing.T) {
	s := serve(t, limitedTables+`
		create table slow (id int); insert into slow values (1);
		create view renewed as select id, now() as at from slow;`, modeTTL, func(c *slipstream.Config) {
		c.Relations = map[string]slipstream.RelationGuards{"renewed": {
			Cache: new("ttl"), CacheTTL: new(time.Millisecond), CacheStaleWhileRevalidate: new(time.Hour),
		}}
	})
	first := s.get("/renewed")
	first.check(t, 200, "*", "Cache-Status: Slipstream; fwd=miss; stored")
	eventually(t, "it is served after its time", func() bool {
		return strings.HasPrefix(s.get("/renewed").Header.Get("Cache-Status"), "Slipstream; hit; ttl=-")
	})
	eventually(t, "it was fetched anew in the background", func() bool {
		a := s.get("/renewed")
		if !strings.HasPrefix(a.Header.Get("Cache-Status"), "Slipstream; hit") {
			t.Fatalf("a request had to wait: %v", a.Header)
		}
		return a.body != first.body
	})
}

// What the database cannot give is given as it was, until the window ends.
func TestStaleIfError(t *testing.T) {
	for _, installed := range []bool{false, true} {
		t.Run(fmt.Sprintf("installed %v", installed), func(t *testing.T) {
			c := newCluster(t)
			pgtest.Exec(t, c.DSN("postgres"), `create role anon; create role login login noinherit; grant anon to login; create schema api;
				grant usage on schema api to anon; create table api.item (id int primary key); insert into api.item values (1);
				create table api.brief as table api.item; create table api.other as table api.item;
				grant select on all tables in schema api to anon`)
			s := &site{t: t, dsn: c.DSN("postgres"), config: slipstream.Config{
				DBURI: c.DSNAs("login", "postgres"), DBSchemas: []string{"api"}, DBAnonRole: "anon",
				ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.AnyPort, AccessLog: "off", DisableChannel: true,
			}}
			short := 100 * time.Millisecond
			s.config.Relations = map[string]slipstream.RelationGuards{
				"item":  {Cache: new("ttl"), CacheTTL: &short, CacheStaleIfError: new(time.Hour)},
				"brief": {Cache: new("ttl"), CacheTTL: &short, CacheStaleIfError: &short},
			}
			s.config.Logger = new(logged).logger()
			if installed {
				if err := feed.Install(t.Context(), s.dsn, "login", nil); err != nil {
					t.Fatal(err)
				}
			}
			s.run()
			s.ready()
			if installed {
				eventually(t, "the cache is open", func() bool { return s.CacheStatus().Mode == "wal" })
			}
			for _, path := range []string{"/item", "/brief"} {
				eventually(t, "it is kept", func() bool {
					return strings.HasSuffix(s.get(path).Header.Get("Cache-Status"), "stored")
				})
			}
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the old answer is served", func() bool {
				a := s.get("/item")
				a.check(t, 200, `[{"id":1}]`)
				return strings.Contains(a.Header.Get("Cache-Status"), `Slipstream; fwd=stale; fwd-status=503; ttl=-`)
			})
			for range 10 {
				s.get("/item").check(t, 200, `[{"id":1}]`)
			}
			s.get("/other").check(t, 503, "*")
			eventually(t, "the window ends", func() bool { return s.get("/brief").StatusCode == 503 })
			s.get("/item", "Cache-Control: no-cache").check(t, 503, "*")
			_, metrics := s.admin("/metrics")
			if !strings.Contains(metrics, `slipstream_cache_stale_total{kind="sie"}`) {
				t.Error("stale answers are not counted")
			}

			c.start()
			pgtest.Exec(t, c.DSN("postgres"), `insert into api.item values (2)`)
			eventually(t, "the new answer is served", func() bool { return strings.Contains(s.get("/item").body, `"id":2`) })
			s.get("/brief").check(t, 200, "*")
		})
	}
}

// Many who ask at once make one query.
func TestTTLHerd(t *testing.T) {
	s := serve(t, limitedTables, modeTTL, everything)
	var herd sync.WaitGroup
	for range 40 {
		herd.Go(func() {
			response, err := s.client.Get("http://" + s.Addr() + "/counted")
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
		})
	}
	herd.Wait()
	if st := s.CacheStatus(); st.Stored != 1 || st.Entries != 1 {
		t.Errorf("%+v", st)
	}
}

// Kept or not, an answer is the same, whatever is asked for.
func TestTTLAnswersAreTheSame(t *testing.T) {
	s := serve(t, `
		create table maker (id int primary key, name text);
		create table item (id int primary key, maker int references maker, name text, at timestamptz default '2020-01-01');
		create table tag (name text primary key);
		create table tagged (item int references item, tag text references tag, primary key (item, tag));
		insert into maker values (1, 'A'), (2, 'B');
		insert into item select n, 1 + n % 2, 'item ' || n from generate_series(1, 20) n;
		insert into tag values ('x'), ('y');
		insert into tagged values (1, 'x'), (2, 'x'), (2, 'y');`, modeTTL, everything)
	for _, headers := range [][]string{{}, {"Prefer: count=exact"}, {"Accept: text/csv"}, {"Accept: application/vnd.pgrst.object+json"}, {"Range: 1-2"}, {"Prefer: pagination=cursor"}} {
		for _, path := range []string{
			"/item?order=id&limit=3", "/item?select=id,maker(name)&order=id.desc&limit=2&offset=1", "/maker?select=*,item(id)&id=eq.1",
			"/item?select=id,tag(name)&order=id&limit=3", "/item?select=id,maker!inner(name)&maker.name=eq.A", "/maker?select=id,...item(name)",
			"/item?at=lt.now&select=id&limit=2&order=id", "/item?select=count()", "/item?id=eq.99", "/item?id=eq.7",
		} {
			plain := s.get(path, append(headers, "Cache-Control: no-cache")...)
			first := s.get(path, headers...)
			first.check(t, plain.StatusCode, plain.body, "Content-Range: "+plain.Header.Get("Content-Range"))
			again := s.get(path, headers...)
			again.check(t, plain.StatusCode, plain.body, "Content-Range: "+plain.Header.Get("Content-Range"),
				"Content-Type: "+plain.Header.Get("Content-Type"))
			kept := strings.HasSuffix(first.Header.Get("Cache-Status"), "stored")
			if hit := strings.Contains(again.Header.Get("Cache-Status"), "; hit; ttl="); hit != kept {
				t.Errorf("%s %v: %s, then %s", path, headers, first.Header["Cache-Status"], again.Header["Cache-Status"])
			}
			if !kept && plain.StatusCode == 200 && !strings.Contains(fmt.Sprint(headers), "csv") {
				t.Errorf("%s %v: %s", path, headers, first.Header["Cache-Status"])
			}
		}
	}
}

// What a Go handler has written, it alone knows.
func TestOwnTransactionsDropTTLAnswers(t *testing.T) {
	s := newSite(t, limitedTables)
	modeTTL(&s.config)
	everything(&s.config)
	s.add = func(server *slipstream.Server) {
		server.Handle("POST /touch", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := slipstream.DBFrom(r.Context()).Transaction(r.Context(), slipstream.ReadWrite, func(tx slipstream.Tx) error {
				_, err := tx.Exec(r.Context(), "update api.item set name = 'touched' where id = 1")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}))
	}
	s.run()
	s.ready()
	s.limitedHit("/item?id=eq.1")
	s.post("/touch", "")
	s.get("/item?id=eq.1").check(t, 200, `[{"id":1,"name":"touched"}]`, "Cache-Status: Slipstream; fwd=miss; stored")
}

// A schema that is read again leaves nothing of before.
func TestReloadsDropTTLAnswers(t *testing.T) {
	s := serve(t, limitedTables, modeTTL, everything)
	s.limitedHit("/plain")
	s.exec("update api.plain set n = 7; revoke select on api.item from ANON")
	s.limitedHit("/plain").check(t, 200, `[{"id":1,"n":1}]`)
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.get("/plain").check(t, 200, `[{"id":1,"n":7}]`, "Cache-Status: Slipstream; fwd=miss; stored")
	s.config.Relations = map[string]slipstream.RelationGuards{"plain": {Cache: new("on"), CacheTTL: new(time.Hour)}}
	if err := s.ReloadConfig(t.Context(), s.config); err != nil {
		t.Fatal(err)
	}
	s.get("/plain").check(t, 200, "*", "Cache-Status:")
}

// All relations of a request have to allow it, the junctions too, and of functions it is never certain what they read.
func TestTTLNeedsAllOfARequest(t *testing.T) {
	minute := slipstream.RelationGuards{Cache: new("ttl"), CacheTTL: new(time.Minute)}
	s := serve(t, `
		create table maker (id int primary key, name text);
		create table item (id int primary key, maker int references maker, name text);
		create table tag (name text primary key);
		create table tagged (item int references item, tag text references tag, primary key (item, tag));
		create table mark (name text primary key);
		create table marked (item int references item, mark text references mark, primary key (item, mark));
		create function label(item) returns text stable begin atomic select $1.name; end;
		create function items() returns setof item stable begin atomic select * from item; end;`,
		modeTTL, with(map[string]slipstream.RelationGuards{"item": minute, "tag": minute, "mark": minute, "marked": minute}))
	for path, kept := range map[string]bool{
		"/item": true, "/item?select=id,mark(name)": true, "/tag?select=name": true,
		"/item?select=id,maker(name)": false, "/maker?select=id,item(id)": false, "/item?select=id,tag(name)": false,
		"/item?select=id,label": false, "/rpc/items": false, "/item?name=eq.x&maker.id=eq.1&select=id,maker!inner(id)": false,
	} {
		got := s.get(path)
		if status := got.Header.Get("Cache-Status"); got.StatusCode != 200 || strings.HasSuffix(status, "stored") != kept {
			t.Errorf("%s: %d %q", path, got.StatusCode, status)
		}
	}
}
