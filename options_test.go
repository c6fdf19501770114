package slipstream_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/slipstream-go/slipstream"
)

const allOptions = "testdata/config/all.yaml"

// loadFile loads a file alone and fails the test on any problem.
func loadFile(t *testing.T, path string) slipstream.Config {
	t.Helper()
	c, warnings, err := slipstream.Load(slipstream.Sources{File: path})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return c
}

func TestEveryOptionArrives(t *testing.T) {
	source, err := os.ReadFile(allOptions)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range slipstream.Options() {
		if !bytes.Contains(source, []byte("\n"+o.Name+":")) {
			t.Errorf("%s does not set %s", allOptions, o.Name)
		}
	}
	c := loadFile(t, allOptions)
	defaults := reflect.ValueOf(slipstream.Config{}.WithDefaults())
	for i := range defaults.NumField() {
		name := defaults.Type().Field(i).Name
		if name == "Logger" {
			continue // in Go only
		}
		v := reflect.ValueOf(c).Field(i)
		if v.IsZero() || reflect.DeepEqual(v.Interface(), defaults.Field(i).Interface()) {
			t.Errorf("Config.%s has its default %v: no option sets it", name, v)
		}
	}
}

func TestValuesArrive(t *testing.T) {
	c := loadFile(t, allOptions)
	for _, v := range []struct {
		name      string
		got, want any
	}{
		{"list of a sequence", c.DBSchemas, []string{"api", `my "odd", schema`}},
		{"list of a text", c.DBExtraSearchPath, []string{"extensions", "tools"}},
		{"settings", c.AppSettings, map[string]string{"secret": "hush", "number": "12"}},
		{"duration with unit", c.DBStatementTimeout, 90 * time.Second},
		{"duration in seconds", c.DBPoolMaxIdletime, time.Minute},
		{"size", c.RequestMaxHeader, int64(8192)},
		{"decimal size", c.RequestMaxBody, int64(1e9)},
		{"any port", c.ServerPort, slipstream.AnyPort},
		{"no port", c.AdminServerPort, slipstream.NoPort},
		{"no cache", c.JWTCacheMaxEntries, slipstream.NoCache},
		{"switch on", c.DBPlanEnabled, true},
		{"switch off", c.DisablePreparedStatements, true},
		{"mode", c.ServerUnixSocketMode, "0600"},
	} {
		if diff := cmp.Diff(v.want, v.got); diff != "" {
			t.Errorf("%s: %s", v.name, diff)
		}
	}
}

// URIs have commas, so they are told apart by white space, also of several lines.
func TestURIsInTheEnvironment(t *testing.T) {
	const one, two = "postgres://u:a,b@one/db", "postgresql://u@two/db"
	c, _, err := slipstream.Load(slipstream.Sources{Env: []string{"SLIPSTREAM_DB_REPLICAS=" + one + "\n  " + two}})
	if err != nil || !reflect.DeepEqual(c.DBReplicas, []string{one, two}) {
		t.Errorf("%q, %v", c.DBReplicas, err)
	}
	for _, text := range []string{one + " " + one, "host=one", "http://one/db"} {
		if _, _, err := slipstream.Load(slipstream.Sources{Env: []string{"SLIPSTREAM_DB_REPLICAS=" + text}}); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := slipstream.Config{}.WithDefaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(c, c.WithDefaults()); diff != "" {
		t.Errorf("applied twice, defaults change: %s", diff)
	}
	if c.ServerHost != "127.0.0.1" || c.ServerPort != 3000 || c.AdminServerPort != 3001 || c.DBPool != 10 ||
		!reflect.DeepEqual(c.DBSchemas, []string{"public"}) || c.DBPoolMaxLifetime != 30*time.Minute || c.ResponseBuffer != 1<<20 {
		t.Errorf("unexpected defaults: %+v", c)
	}
}

func TestWithDefaultsKeepsChoices(t *testing.T) {
	c := slipstream.Config{DBExtraSearchPath: []string{}, ServerPort: 8080, DBPool: 1, DisableDBConfig: true}.WithDefaults()
	if len(c.DBExtraSearchPath) != 0 {
		t.Errorf("an empty search path became %v", c.DBExtraSearchPath)
	}
	if c.AdminServerPort != 8081 {
		t.Errorf("admin port is %d next to 8080", c.AdminServerPort)
	}
	if c.DBPool != 1 || !c.DisableDBConfig {
		t.Error("a default replaced a choice")
	}
	if c := (slipstream.Config{ServerPort: slipstream.AnyPort}).WithDefaults(); c.AdminServerPort != slipstream.AnyPort {
		t.Errorf("admin port is %d next to any port", c.AdminServerPort)
	}
}

// What YAML prints can be loaded again.
func TestYAMLRoundTrip(t *testing.T) {
	for name, c := range map[string]slipstream.Config{
		"defaults": slipstream.Config{}.WithDefaults(),
		"all":      loadFile(t, allOptions).WithDefaults(),
	} {
		// Secrets come back masked, and too short as such.
		c.JWTSecret, c.JWTSecretIsBase64, c.CursorSecret, c.CachePurgeToken, c.AppSettings = "", false, "", "", nil
		path := filepath.Join(t.TempDir(), "dump.yaml")
		if err := os.WriteFile(path, []byte(c.YAML()), 0o600); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, loadFile(t, path).WithDefaults()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestYAMLMasksSecrets(t *testing.T) {
	const password = "hushhushhushhushhushhushhushhush"
	for _, uri := range []string{
		"postgres://u:" + password + "@db/x",
		"postgresql://u@db/x?sslpassword=" + password + "&password=" + password,
		"host=db user=u password=" + password,
		"postgres://u:" + password + "@db:port/x",
	} {
		c := slipstream.Config{
			DBURI: uri, DBReplicas: []string{uri}, JWTSecret: password, CursorSecret: password, CachePurgeToken: password,
			AppSettings: map[string]string{"key": password},
		}
		dump := c.YAML()
		if strings.Contains(dump, password) {
			t.Errorf("the dump reveals a secret:\n%s", dump)
		}
		if c.AppSettings["key"] != password || c.DBReplicas[0] != uri {
			t.Error("dumping changed the configuration")
		}
	}
	if dump := (slipstream.Config{OTLPEndpoint: "https://u:hunter2@traces:4318"}).YAML(); !strings.Contains(dump, "otlp-endpoint: https://u:********@traces:4318\n") {
		t.Errorf("an address of another service:\n%s", dump)
	}
	if dump := (slipstream.Config{DBURI: "postgres://u:p@db/x"}).YAML(); !strings.Contains(dump, "db-uri: postgres://u:********@db/x\n") {
		t.Errorf("the place of the database is lost:\n%s", dump)
	}
}

func TestSchema(t *testing.T) {
	schema := compileSchema(t)
	for _, text := range []string{slipstream.ConfigExample(), slipstream.Config{}.WithDefaults().YAML(), readFile(t, allOptions), "{db-schema: api, max-rows: 3}"} {
		if err := schema.Validate(decode(t, text)); err != nil {
			t.Errorf("%v in:\n%s", err, text)
		}
	}
	for _, text := range []string{"{db-pol: 1}", "{db-pool: 0}", "{db-tx-end: maybe}", "{server-port: 70000}", "{log-query: sometimes}", "{db-schemas: {}}", "{request-max-url: 1 mile}"} {
		if err := schema.Validate(decode(t, text)); err == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(slipstream.ConfigSchema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("slipstream.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("slipstream.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// decode turns YAML into what the schema library takes.
func decode(t *testing.T, text string) any {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The example with every # of a default removed is the default configuration.
func TestExample(t *testing.T) {
	var b strings.Builder
	for line := range strings.Lines(slipstream.ConfigExample()) {
		if !strings.HasPrefix(line, "# ") {
			line = strings.TrimPrefix(line, "#")
		}
		b.WriteString(line)
	}
	path := filepath.Join(t.TempDir(), "example.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slipstream.Config{}.WithDefaults(), loadFile(t, path).WithDefaults()); diff != "" {
		t.Error(diff)
	}
}
