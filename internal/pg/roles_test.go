package pg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestLoadRoleSettings(t *testing.T) {
	group, stranger := pgtest.Role(t, "nologin"), pgtest.Role(t, "nologin")
	w := newWorld(t)
	pgtest.Exec(t, w.super,
		"grant "+group+" to "+w.bert, // which the login role may take on by way of bert
		"alter role "+w.ann+" set statement_timeout = '7s'",
		"alter role "+w.ann+` set "TimeZone" = 'Europe/Paris'`,
		"alter role "+w.ann+" set default_transaction_isolation = 'repeatable read'",
		"alter role "+w.ann+" set log_min_messages = 'error'", // a superuser's
		"alter role "+w.ann+" set app.custom = 'x'",
		"alter role "+group+" set application_name = 'a=b'",
		"alter role "+stranger+" set work_mem = '7MB'")
	db := run(t, pg.Options{DSN: w.dsn})
	load := func() (roles map[string]pg.RoleSettings) {
		err := db.Catalog(t.Context(), func(q pg.Querier) (err error) {
			roles, err = pg.LoadRoleSettings(t.Context(), q)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return roles
	}
	want := map[string]pg.RoleSettings{
		w.ann: {Isolation: "repeatable read", Settings: []pg.Setting{{Name: "statement_timeout", Value: "7s"}, {Name: "TimeZone", Value: "Europe/Paris"}}},
		group: {Settings: []pg.Setting{{Name: "application_name", Value: "a=b"}}},
	}
	roles := load()
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Error(diff)
	}
	if pgtest.Value(t, w.super, "select current_setting('server_version_num')") >= "150000" {
		pgtest.Exec(t, w.super, "grant set on parameter log_min_messages to "+w.login)
		if got := len(load()[w.ann].Settings); got != 3 {
			t.Errorf("%d settings, want the granted one too", got)
		}
		pgtest.Exec(t, w.super, "revoke set on parameter log_min_messages from "+w.login)
	}
	tx := as(w.ann)
	tx.RoleSettings, tx.Isolation = roles[w.ann].Settings, roles[w.ann].Isolation
	const show = "select current_setting('statement_timeout') || current_setting('timezone') || current_setting('transaction_isolation')"
	if got := value(t, db, tx, show); got != "7sEurope/Parisrepeatable read" {
		t.Error(got)
	}
}
