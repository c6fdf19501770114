package slipstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// notified is a server that keeps answers though the log cannot be followed.
func notified(t *testing.T, sql string) *site {
	t.Helper()
	pgtest.Own(t, map[string]string{"wal_level": "replica", "max_prepared_transactions": "0"})
	s := newSite(t, cachedTables+sql)
	if err := feed.InstallNotify(t.Context(), s.dsn, nil); err != nil {
		t.Fatal(err)
	}
	s.config.CacheStaleness = time.Minute // a slow machine must not make misses of hits
	s.run()
	s.ready()
	s.live()
	return s
}

func TestNotifyDropsByTable(t *testing.T) {
	s := notified(t, `
		create table part (id int, n int, primary key (id)) partition by list (id);
		create table part1 partition of part for values in (1); create table part2 partition of part for values in (2);
		insert into part values (1, 1), (2, 2);
		create view dear as select * from item where price > 480;`)
	ann := s.bearer(`"sub": "ann"`)
	if st := s.CacheStatus(); st.Mode != "notify" || !strings.Contains(st.Hint, "wal_level = logical") || st.Tables != 6 {
		t.Errorf("%+v", st)
	}
	for _, tc := range []struct{ what, path, unrelated, related, want, token string }{
		{"a row", "/item?id=eq.1&select=price", "update note set body = 'x' where id = 2", "update item set price = 1 where id = 1", `[{"price":1}]`, ""},
		{"no rows", "/item?id=eq.1000&select=id", "update part set n = 7", "insert into item values (1000, 'it')", `[{"id":1000}]`, ""},
		{"an embed", "/item?select=note(body)&id=eq.1", "update part set n = 8", "update note set body = 'new' where id = 1", `[{"note":[{"body": "new"}]}]`, ann},
		{"a view", "/dear?select=id&id=eq.50", "update part set n = 9", "update item set price = 0 where id = 50", `[]`, ""},
		{"by the name above", "/part?select=n&id=eq.1", "update item set price = 2 where id = 2", "update part set n = 4", `[{"n":4}]`, ""},
		{"by the name below", "/part?select=n&id=eq.2", "update note set body = 'y' where id = 2", "update part2 set n = 5", `[{"n":5}]`, ""},
		{"truncated", "/note?select=body", "update part set n = 9", "truncate item cascade", `[]`, ann},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s.keepsThrough(t, tc.path, tc.token, tc.unrelated)
			s.exec("set search_path to api;" + tc.related)
			s.settle()
			if body, status := s.cachedGet(tc.path, tc.token); body != tc.want {
				t.Errorf("after %s: %s: %s", tc.related, status, body)
			}
		})
	}
}

func TestNotifyShowsOwnWrites(t *testing.T) {
	s := notified(t, "")
	ann := s.bearer(`"sub": "ann"`)
	hits := 0
	for i := range 300 {
		want := fmt.Sprintf(`[{"name":"name %d"}]`, i)
		s.cachedGet("/item?id=eq.5&select=name", "")
		if a := s.write(http.MethodPatch, "/item?id=eq.5", want[1:len(want)-1], ann); a.StatusCode != http.StatusNoContent {
			t.Fatal(a.StatusCode, a.body)
		}
		for range 2 {
			body, status := s.cachedGet("/item?id=eq.5&select=name", "")
			if body != want {
				t.Fatalf("read %s (%s), wrote %s", body, status, want)
			}
			if strings.Contains(status, "; hit") {
				hits++
			}
		}
	}
	if hits == 0 {
		t.Error("there was no hit: nothing was tried")
	}
}

func TestNotifySeesTheSchemaChange(t *testing.T) {
	s := notified(t, "")
	schemaChangesAreSeen(t, s)
	// A new table has a trigger from the start.
	s.exec("create table api.late (id int primary key); insert into api.late values (1); grant select on api.late to ANON")
	eventually(t, "it is kept", func() bool { return s.kept("/late", "") == "hit" })
	s.exec("insert into api.late values (2)")
	s.settle()
	if body, status := s.cachedGet("/late?select=id", ""); strings.Count(body, "id") != 2 {
		t.Errorf("%s (%s)", body, status)
	}
	s.exec("alter table api.late disable trigger slipstream_cache")
	eventually(t, "it is not kept any more", func() bool {
		got := s.kept("/late", "")
		return got != "hit" && got != "stored" && s.kept("/mark", "") == "hit"
	})
}

// Whoever ends the session that listens loses nobody a change.
func TestNotifyHeals(t *testing.T) {
	s := notified(t, "")
	for i := range 2 {
		eventually(t, "it is kept", func() bool { return s.kept("/item?id=eq.1&select=price", "") == "hit" })
		s.exec("select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen slipstream_cache'")
		eventually(t, "it is noticed", func() bool { return s.CacheStatus().Mode == "none" })
		s.exec(fmt.Sprintf("update api.item set price = %d where id = 1", 7000+i))
		s.live()
		eventually(t, "it is kept again", func() bool { return s.kept("/item?id=eq.1&select=price", "") == "hit" })
		if body, _ := s.cachedGet("/item?id=eq.1&select=price", ""); body != fmt.Sprintf(`[{"price":%d}]`, 7000+i) {
			t.Error(body)
		}
	}
	if err := feed.Uninstall(t.Context(), s.dsn); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason is known", func() bool {
		st := s.CacheStatus()
		return st.Mode == "none" && strings.Contains(st.Reason, "slipstream cache install") && st.Hint == ""
	})
}

// Both ways are named where neither is prepared.
func TestNotifyIsNotInstalled(t *testing.T) {
	for mode, want := range map[string]string{
		"notify": `no triggers tell what is written: run "slipstream cache install --mode notify" as a superuser`,
		"auto":   `; or, by table: no triggers tell what is written: run "slipstream cache install --mode notify" as a superuser`,
	} {
		s := serve(t, cachedTables, func(c *slipstream.Config) { c.CacheMode = mode })
		eventually(t, "the reason is known", func() bool { return strings.HasSuffix(s.CacheStatus().Reason, want) })
	}
}
