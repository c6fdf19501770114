package slipstream_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

// writeFile makes a file in a directory of the test's own.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each source is weaker than the ones after it.
func TestPrecedence(t *testing.T) {
	full := slipstream.Sources{
		File:  writeFile(t, "c.yaml", "db-uri: postgres://file"),
		Env:   []string{"SLIPSTREAM_DB_URI=postgres://own", "PGRST_DB_URI=postgres://pgrst", "DATABASE_URL=postgres://platform"},
		Flags: map[string][]string{"db-uri": {"postgres://first", "postgres://flag"}},
	}
	for _, step := range []struct {
		want string
		drop func(*slipstream.Sources)
	}{
		{"postgres://flag", func(s *slipstream.Sources) { s.Flags = nil }},
		{"postgres://own", func(s *slipstream.Sources) { s.Env = s.Env[1:] }},
		{"postgres://pgrst", func(s *slipstream.Sources) { s.Env = s.Env[1:] }},
		{"postgres://file", func(s *slipstream.Sources) { s.File = "" }},
		{"postgres://platform", func(s *slipstream.Sources) { s.Env = nil }},
		{"postgresql://", func(*slipstream.Sources) {}},
	} {
		c, _, err := slipstream.Load(full)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.WithDefaults().DBURI; got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
		step.drop(&full)
	}
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		env   []string
		field func(slipstream.Config) any
		want  any
	}{
		{[]string{"PGRST_DB_SCHEMAS=v1, v2 ,SPECIAL \"@/\\#~_-"}, func(c slipstream.Config) any { return c.DBSchemas }, []string{"v1", "v2", `SPECIAL "@/\#~_-`}},
		{[]string{"PGRST_DB_EXTRA_SEARCH_PATH="}, func(c slipstream.Config) any { return c.DBExtraSearchPath }, []string{}},
		{[]string{"PGRST_DB_HOISTED_TX_SETTINGS="}, func(c slipstream.Config) any { return c.DBHoistedTxSettings == nil }, true},
		{[]string{"PGRST_DB_SCHEMA=old"}, func(c slipstream.Config) any { return c.DBSchemas }, []string{"old"}},
		{[]string{"PGRST_DB_MAX_ROWS=1", "PGRST_MAX_ROWS=2"}, func(c slipstream.Config) any { return c.DBMaxRows }, 1},
		{[]string{"PGRST_PRE_REQUEST=f", "SLIPSTREAM_DB_PRE_REQUEST=g"}, func(c slipstream.Config) any { return c.DBPreRequest }, "g"},
		{[]string{"PGRST_DB_PLAN_ENABLED=TRUE"}, func(c slipstream.Config) any { return c.DBPlanEnabled }, true},
		{[]string{"PGRST_DB_PLAN_ENABLED=1"}, func(c slipstream.Config) any { return c.DBPlanEnabled }, true},
		{[]string{`PGRST_DB_PLAN_ENABLED="true"`}, func(c slipstream.Config) any { return c.DBPlanEnabled }, true},
		{[]string{"PGRST_DB_CONFIG=0"}, func(c slipstream.Config) any { return c.DisableDBConfig }, true},
		{[]string{"PGRST_DB_CONFIG="}, func(c slipstream.Config) any { return c.DisableDBConfig }, false},
		{[]string{"PGRST_DB_POOL_ACQUISITION_TIMEOUT=7"}, func(c slipstream.Config) any { return c.DBPoolAcquisitionTimeout }, 7 * time.Second},
		{[]string{"PGRST_APP_SETTINGS_FOO_BAR=x", "SLIPSTREAM_APP_SETTINGS_foo_bar=y"}, func(c slipstream.Config) any { return c.AppSettings }, map[string]string{"foo_bar": "y"}},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://otel:4318"}, func(c slipstream.Config) any { return c.OTLPEndpoint }, "http://otel:4318"},
	} {
		cfg, warnings, err := slipstream.Load(slipstream.Sources{Env: c.env})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v: %v %v", c.env, err, warnings)
			continue
		}
		if diff := cmp.Diff(c.want, c.field(cfg)); diff != "" {
			t.Errorf("%v: %s", c.env, diff)
		}
	}
}

func TestEnvironmentWarnings(t *testing.T) {
	for _, c := range []struct{ variable, want string }{
		{"PGRST_NOPE=1", "PGRST_NOPE is not an option of PostgREST and was ignored"},
		{"PGRST_CURSOR_SECRET=x", "PGRST_CURSOR_SECRET is not an option of PostgREST and was ignored"},
		{"PGRST_JWT_CACHE_MAX_LIFETIME=3600", "PGRST_JWT_CACHE_MAX_LIFETIME has no effect and was ignored"},
	} {
		cfg, warnings, err := slipstream.Load(slipstream.Sources{Env: []string{c.variable}})
		if err != nil {
			t.Errorf("%s: %v", c.variable, err)
		}
		if diff := cmp.Diff([]string{c.want}, warnings); diff != "" {
			t.Errorf("%s: %s", c.variable, diff)
		}
		if diff := cmp.Diff(slipstream.Config{}, cfg); diff != "" {
			t.Errorf("%s: %s", c.variable, diff)
		}
	}
}

func TestEnvironmentErrors(t *testing.T) {
	for _, c := range []struct{ variable, want string }{
		{"SLIPSTREAM_DB_POL=1", "SLIPSTREAM_DB_POL: there is no such option; did you mean SLIPSTREAM_DB_POOL?"},
		{"SLIPSTREAM_ZZZ=1", "SLIPSTREAM_ZZZ: there is no such option; see docs/configuration.md for the names"},
		{"SLIPSTREAM_APP_SETTINGS=x", "SLIPSTREAM_APP_SETTINGS: there is no such option; did you mean SLIPSTREAM_APP_SETTINGS_NAME?"},
		{"PGRST_DB_POOL=many", `PGRST_DB_POOL: "many" is not a whole number`},
		{"PGRST_DB_POOL=0", "PGRST_DB_POOL: 0 is too small; write at least 1"},
		{"PGRST_LOG_LEVEL=loud", `PGRST_LOG_LEVEL: "loud" is not known; write crit, error, warn, info, debug`},
		{"PGRST_SERVER_PORT=70000", "PGRST_SERVER_PORT: 70000 is not a port; write a port (0 for any free one)"},
		{"PGRST_DB_PLAN_ENABLED=maybe", `PGRST_DB_PLAN_ENABLED: "maybe" is neither true nor false; write one of them`},
		{"PGRST_DB_SCHEMAS=a,,b", "PGRST_DB_SCHEMAS: a member is empty; remove the surplus comma"},
		{"PGRST_APP_SETTINGS_a-b=1", `PGRST_APP_SETTINGS_a-b: "a-b" cannot name a setting; use letters, digits, underscores, dollar signs and dots`},
		{"PGRST_SERVER_UNIX_SOCKET_MODE=888", `PGRST_SERVER_UNIX_SOCKET_MODE: "888" is not a mode; write an octal number from 600 to 777`},
		{"PGRST_DB_SCHEMAS=pg_catalog", "db-schemas: pg_catalog cannot be exposed; remove it"},
	} {
		_, _, err := slipstream.Load(slipstream.Sources{Env: []string{c.variable}})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.variable, err, c.want)
		}
	}
}

// A service named slipstream makes Kubernetes set these in every pod; a file of ours is named by the last.
func TestForeignVariables(t *testing.T) {
	_, warnings, err := slipstream.Load(slipstream.Sources{Env: []string{
		"SLIPSTREAM_SERVICE_HOST=10.0.0.1", "SLIPSTREAM_SERVICE_PORT=3000", "SLIPSTREAM_SERVICE_PORT_HTTP=3000",
		"SLIPSTREAM_PORT=tcp://10.0.0.1:3000", "SLIPSTREAM_PORT_3000_TCP=tcp://10.0.0.1:3000", "SLIPSTREAM_PORT_3000_TCP_ADDR=10.0.0.1",
		"SLIPSTREAM_SERVER_PORT=tcp://10.0.0.1:3000", "SLIPSTREAM_SERVER_SERVICE_HOST=10.0.0.1",
		"SLIPSTREAM_CONFIG=other.yaml", "SLIPSTREAM_PG_BINDIR=/usr/lib/postgresql/17/bin", "HOME=/root", "BROKEN",
	}})
	if err != nil || len(warnings) > 0 {
		t.Error(err, warnings)
	}
}

func TestFlags(t *testing.T) {
	c, _, err := slipstream.Load(slipstream.Sources{
		Env:   []string{"PGRST_APP_SETTINGS_A=env", "PGRST_DB_POOL=wrong but overridden"},
		Flags: map[string][]string{"app.settings": {"a=b=c", "d="}, "max-rows": {"5"}, "db-pool": {"3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slipstream.Config{AppSettings: map[string]string{"a": "b=c", "d": ""}, DBMaxRows: 5, DBPool: 3}, c); diff != "" {
		t.Error(diff)
	}
	for flag, want := range map[string]string{
		"db-pol":       "--db-pol: there is no such option; did you mean --db-pool?",
		"app.settings": "--app.settings: write NAME=TEXT",
		"server-port":  `--server-port: "x" is not a whole number; write a port (0 for any free one)`,
	} {
		_, _, err := slipstream.Load(slipstream.Sources{Flags: map[string][]string{flag: {"x"}}})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	secret := writeFile(t, "secret", "reallyreallyreallyreallyverysafe \n")
	uri := writeFile(t, "uri", "postgres://db/x\r\n")
	c, _, err := slipstream.Load(slipstream.Sources{Env: []string{"PGRST_JWT_SECRET=@" + secret, "PGRST_DB_URI=@" + uri, "PGRST_DB_ANON_ROLE=@anon"}})
	if err != nil {
		t.Fatal(err)
	}
	want := slipstream.Config{JWTSecret: "reallyreallyreallyreallyverysafe ", DBURI: "postgres://db/x", DBAnonRole: "@anon"}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	_, _, err = slipstream.Load(slipstream.Sources{Env: []string{"PGRST_JWT_SECRET=@/nowhere/at/all"}})
	if err == nil || !strings.HasPrefix(err.Error(), "PGRST_JWT_SECRET: read the file named after @: open /nowhere/at/all") {
		t.Error(err)
	}
}

// All problems are reported at once, one line each.
func TestAllProblems(t *testing.T) {
	_, _, err := slipstream.Load(slipstream.Sources{
		File: writeFile(t, "c.yaml", "db-pool: x\nnope: 1\n"),
		Env:  []string{"SLIPSTREAM_NOPE=1", "PGRST_DB_TX_END=never"},
	})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want four lines, got %v", err)
	}
}

// Other sources do not hide what is wrong in Go.
func TestMissingFile(t *testing.T) {
	_, _, err := slipstream.Load(slipstream.Sources{File: "/nowhere/slipstream.yaml"})
	if err == nil || !strings.Contains(err.Error(), "open /nowhere/slipstream.yaml: no such file") {
		t.Error(err)
	}
}
