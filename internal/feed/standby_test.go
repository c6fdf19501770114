package feed_test

import (
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
	for range 5 {
		pgtest.Exec(t, dsn, "insert into item select count(*) from item")
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
	for what, other := range map[string]string{
		"it is no standby":                 dsn,
		"it is asked for another database": r.DSN("postgres"),
	} {
		if why := f.feed.Alien(look(t, other)); why != what {
			t.Errorf("%q, want %q", why, what)
		}
	}
	r.Promote()
	if why := f.feed.Alien(look(t, r.At(dsn))); why != "it is no standby" {
		t.Errorf("after its promotion: %q", why)
	}
	r.Stop()
	if _, err := s.Look(t.Context()); err == nil {
		t.Error("a server that is gone was seen")
	}
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
