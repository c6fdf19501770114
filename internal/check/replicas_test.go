package check_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/check"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestReplicas(t *testing.T) {
	t.Setenv("DATABASE_URL", "") // the standby is one of the tests' own server
	f := newFixture(t)
	r := pgtest.Standby(t)
	r.CatchUp()
	name := func(dsn string) string {
		eye, err := feed.NewStandby(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return "replica 1 (" + eye.Name() + ")"
	}
	want := func(dsn string, status check.Status, found string) {
		t.Helper()
		f.options.Replicas = []string{dsn}
		wantFinding(t, run(t, f.options), name(dsn), status, found)
	}
	want(r.At(f.options.DSN), check.OK, "without the right REPLICATION")
	want(f.options.DSN, check.Warn, "it is no standby")
	want(r.DSN("postgres"), check.Warn, "asked for the database postgres")
	pgtest.Exec(t, f.dsn, "alter role "+f.login+" replication")
	r.CatchUp()
	want(r.At(f.options.DSN), check.OK, "a standby on timeline 1")
	dsn := r.At(f.options.DSN)
	of := func() string {
		r.Promote()
		return pgtest.StandbyOf(t, r.Cluster).At(f.options.DSN)
	}()
	want(of, check.Warn, "it is on timeline 2, and the primary on 1")
	r.Stop()
	want(dsn, check.Warn, "failed to connect")
}
