package promises_test

import (
	"context"
	"testing"
	"time"
)

// TestPublicationChanged takes changes out of the publication while the server runs: answers must not be kept without them.
func TestPublicationChanged(t *testing.T) {
	for _, tc := range []struct{ what, publication string }{
		{"updates are left out", "alter publication slipstream set (publish = 'insert, delete, truncate')"},
		{"a table is left out", "alter publication slipstream drop table api.docs"},
		{"rows are left out", "alter publication slipstream drop table api.docs; alter publication slipstream add table api.docs where (id > 5)"},
		{"the event triggers are switched off", "alter event trigger slipstream_cache_ddl disable; alter publication slipstream drop table api.docs"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := serve(t, `create table registers (id int primary key); create table docs (id int primary key, v int); insert into docs values (1, 1)`)
			s.get("/docs")
			s.exec(tc.publication)
			eventually(t, "the cache has heard of it", func() bool {
				s.get("/registers") // heartbeats rest while nobody asks
				status := s.CacheStatus()
				return status.Mode != "wal" || status.Tables < 2
			})
			for range 6 {
				s.get("/docs")
				s.exec("update api.docs set v = v + 1")
				since := time.Now()
				eventually(t, "the cache has heard of the update, or is closed", func() bool {
					return s.heardSince(since) || s.CacheStatus().Mode != "wal"
				})
				if got, want := s.get("/docs"), s.direct("/docs"); got.body != want.body {
					t.Fatalf("%s %s, want %s", got.Header["Cache-Status"], got.body, want.body)
				}
				pause(t, 50*time.Millisecond)
			}
		})
	}
}

// TestConfigurationChanged changes what every session of the server prints times by.
func TestConfigurationChanged(t *testing.T) {
	s := serve(t, `create table registers (id int primary key);
		create table docs (id int primary key, at timestamptz); insert into docs values (1, '2020-01-01T00:00:00Z')`)
	t.Cleanup(func() { s.exec("alter system reset timezone"); s.exec("select pg_reload_conf()") })
	s.get("/docs")
	before := s.get("/docs")
	s.exec("alter system set timezone = 'Asia/Tokyo'")
	s.exec("select pg_reload_conf()")
	eventually(t, "the setting is in force", func() bool { return s.direct("/docs").body != before.body })
	eventually(t, "the cache has heard of it", func() bool { return s.get("/docs").body != before.body })
}

// TestPublishedLate adds a table to the publication while somebody has written to it who has not committed yet: that change
// never arrives. A fill that began before the commit must not be kept, even if it ends when the table can be relied upon.
func TestPublishedLate(t *testing.T) {
	s := serve(t, `create table registers (id int primary key); create table docs (id int primary key, v int); insert into docs values (1, 1);
		create view slow as select docs.*, (select count(*) from generate_series(1, 6000000) g where g + id > 0) as n from docs`)
	s.exec("alter publication slipstream drop table api.docs")
	s.open()
	eventually(t, "the table is left out", func() bool { s.get("/registers"); return s.CacheStatus().Tables == 1 })
	writer := s.connect()
	do := func(sql string) {
		t.Helper()
		if _, err := writer.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do("begin; update api.docs set v = 2")
	s.exec("alter publication slipstream add table api.docs")
	eventually(t, "the cache has heard of it", func() bool { return s.CacheStatus().Mode != "wal" })
	s.open()
	done := make(chan answer, 1)
	go func() { done <- s.get("/slow") }()
	eventually(t, "the query runs", func() bool {
		return s.value("select count(*) from pg_stat_activity where query like '%slow%' and state = 'active' and pid <> pg_backend_pid()") != "0"
	})
	do("commit")
	eventually(t, "the table can be relied upon", func() bool { s.get("/registers"); return s.CacheStatus().Tables == 2 })
	select {
	case a := <-done:
		t.Skipf("the query was too fast: %s", a.body)
	default:
	}
	old := <-done
	s.quiesce()
	if got, want := s.get("/slow"), s.direct("/slow"); got.body != want.body {
		t.Errorf("%s %s, want %s; the fill gave %s", got.Header["Cache-Status"], got.body, want.body, old.body)
	}
}

// TestDetachConcurrently takes a partition away in two transactions, of which the first hides its rows and the second ends
// the command when all queries that may still see them are over.
func TestDetachConcurrently(t *testing.T) {
	s := serve(t, `create table registers (id int primary key); create table docs (id int primary key) partition by list (id);
		create table one partition of docs for values in (1); create table two partition of docs for values in (2); insert into docs values (1), (2)`)
	s.get("/docs")
	before := s.get("/docs")
	reader, altering := s.connect(), s.connect()
	if _, err := reader.Exec(t.Context(), "begin; select * from api.docs"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := altering.Exec(context.Background(), "alter table api.docs detach partition api.two concurrently")
		done <- err
	}()
	eventually(t, "the rows are hidden", func() bool { return s.direct("/docs").body != before.body })
	eventually(t, "the cache has heard of it", func() bool { return s.get("/docs").body == s.direct("/docs").body })
	if _, err := reader.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestChangedWhileDeaf replaces a policy while the feed is away: what answers depend on since then must be known before
// they are kept.
func TestChangedWhileDeaf(t *testing.T) {
	var network *proxy
	s := serve(t, `create table registers (id int primary key); create table docs (id int primary key); insert into docs values (1);
		create table open (yes bool primary key); insert into open values (true);
		alter table docs enable row level security; create policy p on docs using (true)`, func(s *site) {
		network, s.config.CacheDBURI = through(t, s.config.DBURI)
	})
	s.get("/docs")
	network.refuse(true)
	network.cut()
	eventually(t, "the feed is away", func() bool { return s.CacheStatus().Mode != "wal" })
	s.exec("alter policy p on api.docs using (exists (select from api.open where yes))")
	network.refuse(false)
	s.open()
	s.get("/docs")
	s.exec("update api.open set yes = false")
	s.quiesce()
	if got, want := s.get("/docs"), s.direct("/docs"); got.body != want.body {
		t.Errorf("%s %s, want %s", got.Header["Cache-Status"], got.body, want.body)
	}
}
