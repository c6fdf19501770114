package feed_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// look is one look at a server, by a connection that was not there before.
func look(t *testing.T, dsn string) feed.Sight {
	t.Helper()
	s := newStandby(t, dsn)
	defer s.Close()
	sight, err := s.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sight
}

func newStandby(t *testing.T, dsn string) *feed.Standby {
	t.Helper()
	s, err := feed.NewStandby(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStandby(t *testing.T) {
	dsn := database(t, `create table item (id int primary key)`)
	r := pgtest.Standby(t)
	f := follow(t, dsn)
	s := newStandby(t, r.At(dsn))
	defer s.Close()
	replayed := uint64(0)
	if why := f.feed.Alien(look(t, r.DSN("postgres"))); why != "it is asked for another database" {
		t.Errorf("%q", why)
	}
	for range 5 {
		pgtest.Exec(t, dsn, "set synchronous_commit = on; insert into item select count(*) from item")
		tx := f.committed()
		r.CatchUp()
		sight, err := s.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if why := f.feed.Alien(sight); why != "" {
			t.Fatal(why)
		}
		if sight.Replayed < tx.EndLSN || sight.Replayed < replayed {
			t.Errorf("%d replayed after %d and %d", sight.Replayed, tx.EndLSN, replayed)
		}
		replayed = sight.Replayed
	}
	r.Promote()
	promoted := pgtest.StandbyOf(t, r.Cluster)
	for _, tc := range []struct{ what, dsn, want string }{
		{"its primary", dsn, "it is no standby"},
		{"it, promoted", r.At(dsn), "it is no standby"},
		{"a standby of that", promoted.At(dsn), "it is on timeline 2, and the primary on 1"},
		{"a standby of another cluster", stranger(t), "it is not of the primary's cluster"},
	} {
		if why := f.feed.Alien(look(t, tc.dsn)); why != tc.want {
			t.Errorf("%s: %q, want %q", tc.what, why, tc.want)
		}
	}
	r.Stop()
	if _, err := s.Look(t.Context()); err == nil {
		t.Error("a server that is gone was seen")
	}
}

// stranger is a standby of a cluster of its own.
func stranger(t *testing.T) string {
	t.Helper()
	dir := directory(t)
	c := cluster(t, dir, nil)
	stop(t, c)
	if err := os.WriteFile(filepath.Join(c.Dir(), "data", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return cluster(t, dir, nil).DSN("postgres")
}

func TestStandbyNames(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u:hush@db.example.com:6432/shop":                "db.example.com:6432",
		"postgres://u:hush@[::1]/shop?sslmode=prefer":               "[::1]:5432",
		"postgres:///shop?host=/run/postgresql&user=u&port=5433":    "/run/postgresql/.s.PGSQL.5433",
		"postgres://u:hush@a,b/shop":                                "several hosts",
		"postgres://u:hush@a:port/shop":                             "cannot be parsed",
		"postgres://u:hush@a/shop?sslmode=require&sslrootcert=none": "",
	} {
		s, err := feed.NewStandby(dsn)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = s.Name()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "hush") {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
}

// A role that may not replicate sees what it needs for reads that nothing is kept of, and no more.
func TestStandbyWithoutTheRight(t *testing.T) {
	dsn := database(t, `create table item (id int primary key)`)
	r := pgtest.Standby(t)
	f := follow(t, dsn)
	u, err := url.Parse(r.At(dsn))
	if err != nil {
		t.Fatal(err)
	}
	role := pgtest.Role(t, "login noinherit")
	u.User = url.User(role)
	r.CatchUp()
	all, some := look(t, r.At(dsn)), look(t, u.String())
	if all.Vague || !some.Vague || some.System != all.System || some.Timeline != all.Timeline || !some.Recovering || some.Replayed < all.Replayed {
		t.Errorf("%+v, and without the right %+v", all, some)
	}
	if why := f.feed.Alien(some); !strings.Contains(why, "REPLICATION") {
		t.Errorf("%q", why)
	}
	s := newStandby(t, u.String())
	defer s.Close()
	if sight, err := s.Look(t.Context()); err != nil || !sight.Vague {
		t.Fatal(sight, err)
	}
	pgtest.Exec(t, dsn, "alter role "+role+" replication")
	r.CatchUp()
	for range 2 { // the first finds out
		some, err = s.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	if some.Vague || f.feed.Alien(some) != "" {
		t.Errorf("with the right %+v: %s", some, f.feed.Alien(some))
	}
}
