package pg_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

var settingNames = []string{"pgrst.db_schemas", "pgrst.db_max_rows", "pgrst.jwt_aud", "pgrst.db_anon_role"}

// settingsOf makes a login role with sql's settings and reads them; ROLE and BASE in sql stand for role and database.
func settingsOf(t *testing.T, preConfig, sql string) (map[string]string, error) {
	t.Helper()
	role := pgtest.Role(t, "login noinherit")
	dsn := pgtest.Database(t)
	sql = strings.ReplaceAll(sql, "ROLE", role)
	pgtest.Exec(t, dsn, strings.ReplaceAll(sql, "BASE", pgtest.Value(t, dsn, "select current_database()")))
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	db, err := pg.Open(pg.Options{DSN: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	return db.DatabaseSettings(t.Context(), settingNames, preConfig)
}

func TestDatabaseSettings(t *testing.T) {
	// The function sees the role as the caller, and its search path.
	const configure = `create schema conf; grant usage on schema conf to public;
		create function conf.configure() returns void language plpgsql as $$ begin
			perform set_config('pgrst.db_schemas', 'from_function', true), set_config('pgrst.jwt_aud', (session_user = current_user)::text, true),
				set_config('pgrst.unlisted', 'x', true), set_config('pgrst.db_anon_role', '', true);
		end $$;`
	for _, c := range []struct {
		name, preConfig, sql string
		want                 map[string]string
	}{
		{"none", "", "", map[string]string{}},
		{"of the role", "", `alter role ROLE set pgrst.db_schemas = 'a, b=c'; alter role ROLE set "Pgrst.Odd" = 'x'; alter role ROLE set work_mem = '8MB';
			alter role ROLE set app.settings.key = 'y'`,
			map[string]string{"pgrst.db_schemas": "a, b=c", "pgrst.odd": "x", "app.settings.key": "y"}},
		{"for this database", "", "alter role ROLE set pgrst.db_max_rows = '1'; alter role ROLE in database BASE set pgrst.db_max_rows = '2'; alter role ROLE in database postgres set pgrst.jwt_aud = 'other'",
			map[string]string{"pgrst.db_max_rows": "2"}},
		{"for the database alone", "", "alter database BASE set pgrst.db_max_rows = '3'", map[string]string{}},
		{"of a function", "conf.configure", configure,
			map[string]string{"pgrst.db_schemas": "from_function", "pgrst.jwt_aud": "true", "pgrst.db_anon_role": ""}},
		{"of role and function", "conf.configure", configure + "alter role ROLE set pgrst.db_schemas = 'from_role'",
			map[string]string{"pgrst.db_schemas": "from_role", "pgrst.jwt_aud": "true", "pgrst.db_anon_role": ""}},
		{"of a function named in the database", "", configure + "alter role ROLE set pgrst.db_pre_config = 'conf.configure'",
			map[string]string{"pgrst.db_pre_config": "conf.configure", "pgrst.db_schemas": "from_function", "pgrst.jwt_aud": "true", "pgrst.db_anon_role": ""}},
		{"of a set-returning function on the search path", "odd name", `create function public."odd name"() returns setof int language sql as
			$$ select 1 from set_config('pgrst.db_max_rows', '9', true) $$`, map[string]string{"pgrst.db_max_rows": "9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := settingsOf(t, c.preConfig, c.sql)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDatabaseSettingsErrors(t *testing.T) {
	_, err := settingsOf(t, "missing", "")
	var answered *pg.Error
	if !errors.As(err, &answered) || answered.Code != "42883" || !strings.HasPrefix(err.Error(), "call the pre-config function missing: ") {
		t.Errorf("missing function: %v", err)
	}
	// The function cannot write.
	_, err = settingsOf(t, "write", "create table t (); create function write() returns void language sql security definer as 'insert into t default values'")
	if !errors.As(err, &answered) || answered.Code != "25006" {
		t.Errorf("writing function: %v", err)
	}
	db, err := pg.Open(pg.Options{DSN: "postgres://nobody:hush@127.0.0.1:1/none"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.DatabaseSettings(t.Context(), settingNames, "")
	var unreachable *pg.ConnectError
	if !errors.As(err, &unreachable) || strings.Contains(err.Error(), "hush") {
		t.Errorf("no server: %v", err)
	}
}
