package slipstream_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

func TestDatabaseSettingsGoFirst(t *testing.T) {
	secret := writeFile(t, "secret", strings.Repeat("s", 32)+"\n")
	given := slipstream.Config{
		DBSchemas: []string{"file"}, DBMaxRows: 7, DBAnonRole: "file", ServerPort: 8080,
		AppSettings: map[string]string{"Kept": "file"},
	}
	got, warnings, err := given.WithDatabaseSettings(map[string]string{
		"pgrst.db_schemas": "a, b", "pgrst.db_max_rows": "", "pgrst.db_extra_search_path": "", "pgrst.db_plan_enabled": "TRUE",
		"pgrst.jwt_secret": "@" + secret, "pgrst.jwt_cache_max_entries": "0", "pgrst.url_use_legacy_target_names": "false",
		"app.settings.kept": "database", "app.settings.new": "database",
	})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := slipstream.Config{
		DBSchemas: []string{"a", "b"}, DBExtraSearchPath: []string{}, DBAnonRole: "file", ServerPort: 8080,
		DBPlanEnabled: true, JWTSecret: strings.Repeat("s", 32), JWTCacheMaxEntries: slipstream.NoCache,
		DisableLegacyTargetNames: true, AppSettings: map[string]string{"Kept": "file", "new": "database"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(given.AppSettings) != 1 {
		t.Error("the configuration that was given has changed")
	}
}

func TestDatabaseSettingsIgnored(t *testing.T) {
	_, warnings, err := slipstream.Config{}.WithDatabaseSettings(map[string]string{
		"pgrst.not_existing": "x", "pgrst.db_schema": "x", "pgrst.cursor_secret": "x", "pgrst.server_port": "x", "pgrst.db_prepared_statements": "x",
	})
	want := []string{
		"pgrst.cursor_secret in the database is not an option of PostgREST and was ignored",
		"pgrst.db_prepared_statements in the database was ignored; set db-prepared-statements in the file or the environment",
		"pgrst.db_schema in the database is not an option of PostgREST and was ignored",
		"pgrst.not_existing in the database is not an option of PostgREST and was ignored",
		"pgrst.server_port in the database was ignored; set server-port in the file or the environment",
	}
	if diff := cmp.Diff(want, warnings); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestDatabaseSettingsRefused(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"pgrst.db_max_rows": "many", "pgrst.openapi_mode": "on"},
			"pgrst.db_max_rows in the database: \"many\" is not a whole number\n" +
				`pgrst.openapi_mode in the database: "on" is not known; write follow-privileges, ignore-privileges, disabled`},
		{map[string]string{"pgrst.db_schemas": "pg_catalog"}, "with the settings in the database: db-schemas: pg_catalog cannot be exposed; remove it"},
		{map[string]string{"pgrst.jwt_secret": "hush"}, "with the settings in the database: jwt-secret: too short with 4 bytes; write at least 32, as from: openssl rand -base64 32"},
	} {
		given := slipstream.Config{DBMaxRows: 3}
		got, _, err := given.WithDatabaseSettings(c.settings)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if diff := cmp.Diff(given, got); diff != "" {
			t.Error(diff)
		}
	}
}
