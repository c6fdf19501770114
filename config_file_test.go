package slipstream_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

// The error cases are files of testdata/config/errors, which end in what is to be reported, as comments.
func TestFileErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/config/errors/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, want := splitExpectation(t, path)
			name := filepath.Join(t.TempDir(), filepath.Base(path))
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, warnings, err := slipstream.Load(slipstream.Sources{File: name, Env: []string{"SET=1"}})
			got := strings.Join(warnings, "\n")
			if err != nil {
				got += "\n" + err.Error()
			}
			got = strings.TrimSpace(strings.ReplaceAll(got, name, "FILE"))
			if *update {
				want = got
				writeExpectation(t, path, content, got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const expectation = "#= "

func splitExpectation(t *testing.T, path string) (content, want string) {
	t.Helper()
	var wanted []string
	for line := range strings.Lines(readFile(t, path)) {
		if w, ok := strings.CutPrefix(line, expectation); ok {
			wanted = append(wanted, strings.TrimRight(w, "\n"))
		} else {
			content += line
		}
	}
	return content, strings.Join(wanted, "\n")
}

func writeExpectation(t *testing.T, path, content, got string) {
	t.Helper()
	if got != "" {
		content += expectation + strings.ReplaceAll(got, "\n", "\n"+expectation) + "\n"
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPostgRESTFile(t *testing.T) {
	path := writeFile(t, "postgrest.conf", `# a comment
db-uri       = "postgres://authenticator:$(PASSWORD)@db/x"   # another
db-schema = "api, SPECIAL \"@/\\#~_-"
jwt-secret="really$$really\u0072eallyreallyverysafe\t"
  max-rows = 10
db-plan-enabled = on
db-config = false
db-extra-search-path = ""
app.settings.Key = "a = \"b\" # c"
app.settings.number = 12
server-port = 3001.0
`)
	_, _, err := slipstream.Load(slipstream.Sources{File: path, Env: []string{"PASSWORD=p@ss"}})
	if err == nil || !strings.HasPrefix(err.Error(), path+":11:1: server-port: ") {
		t.Errorf("a fraction is a port: %v", err)
	}
	path = writeFile(t, "postgrest.conf", strings.TrimSuffix(readFile(t, path), "server-port = 3001.0\n"))
	c, warnings, err := slipstream.Load(slipstream.Sources{File: path, Env: []string{"PASSWORD=p@ss"}})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := slipstream.Config{
		DBURI: "postgres://authenticator:p@ss@db/x", DBSchemas: []string{"api", `SPECIAL "@/\#~_-`},
		JWTSecret: "really$reallyreallyreallyverysafe\t", DBMaxRows: 10, DBPlanEnabled: true, DisableDBConfig: true,
		DBExtraSearchPath: []string{}, AppSettings: map[string]string{"Key": `a = "b" # c`, "number": "12"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

// Formats are told by the name: JSON is YAML, and an empty file sets nothing.
func TestFileFormats(t *testing.T) {
	for name, content := range map[string]string{
		"c.yaml": "db-pool: 3", "c.YML": "db-pool: 3", "c.json": `{"db-pool": 3}`, "c.conf": "db-pool = 3", "c": "db-pool=3\r\n",
		"anchored.yaml": "---\n# comment\ndb-pool: '3'\n",
	} {
		if c := loadFile(t, writeFile(t, name, content)); c.DBPool != 3 {
			t.Errorf("%s: got %d", name, c.DBPool)
		}
	}
	for _, name := range []string{"empty.yaml", "empty.conf"} {
		for _, content := range []string{"", "\n\n", "# nothing\n"} {
			if diff := cmp.Diff(slipstream.Config{}, loadFile(t, writeFile(t, name, content))); diff != "" {
				t.Errorf("%s: %q: %s", name, content, diff)
			}
		}
	}
}

func TestYAMLTexts(t *testing.T) {
	c := loadFile(t, writeFile(t, "c.yaml", `
jwt-secret: |
  reallyreallyreallyreallyverysafe
db-anon-role: "quoted # role"
db-pre-request: ~
db-channel: 'it''s'
jwt-aud: 12
db-root-spec: yes
`))
	want := slipstream.Config{
		JWTSecret: "reallyreallyreallyreallyverysafe", DBAnonRole: "quoted # role", DBChannel: "it's", JWTAud: "12", DBRootSpec: "yes",
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func FuzzYAML(f *testing.F) { fuzzFile(f, "c.yaml") }
func FuzzConf(f *testing.F) { fuzzFile(f, "c.conf") }

// fuzzFile loads arbitrary files: each gives a configuration that Validate accepts, or problems with a place.
func fuzzFile(f *testing.F, name string) {
	for _, seed := range []string{"", "db-pool: 3", "db-pool = 3", "app.settings: {a: 1}", "a: &b\n- *b", "db-uri = \"$(X)\\u00e4\" # c", "db-schemas: [a, [b]]", "? a\n: b", "%YAML 1.2\n---\n"} {
		f.Add(seed)
	}
	all, err := os.ReadFile(allOptions)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(all))
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := slipstream.Load(slipstream.Sources{File: path})
		if err == nil && c.Validate() != nil {
			t.Errorf("loaded, but not valid: %v", c.Validate())
		}
		_ = c.WithDefaults().YAML()
	})
}
