package slipstream_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

// testdata/config/dump has files in PostgREST's format and their dumps, which can be read back.
func TestDump(t *testing.T) {
	files, err := filepath.Glob("testdata/config/dump/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := loadFile(t, path).WithDefaults().Dump(true)
			golden := strings.TrimSuffix(path, ".conf") + ".dump"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(readFile(t, golden), got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(got, loadFile(t, golden).WithDefaults().Dump(true)); diff != "" {
				t.Errorf("read back: %s", diff)
			}
		})
	}
}

// The same settings in the environment, and all of them in a file, give the same dump.
func TestDumpOfEnvironment(t *testing.T) {
	var env []string
	for line := range strings.Lines(readFile(t, "testdata/config/dump/all.dump")) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), " = ")
		if name, ok := strings.CutPrefix(key, "app.settings."); ok {
			key = "APP_SETTINGS_" + name
		} else {
			key = strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
		}
		env = append(env, "PGRST_"+key+"="+strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`), `\"`, `"`))
	}
	c, warnings, err := slipstream.Load(slipstream.Sources{Env: env})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if diff := cmp.Diff(readFile(t, "testdata/config/dump/all.dump"), c.WithDefaults().Dump(true)); diff != "" {
		t.Error(diff)
	}
}

func TestDumpMasksSecrets(t *testing.T) {
	c := slipstream.Config{
		DBURI: "postgres://u:hush@db/x", JWTSecret: "hushhushhushhushhushhushhushhushhush", CursorSecret: "hush", AppSettings: map[string]string{"a": "hush"},
	}
	if dump := c.Dump(false); strings.Contains(dump, "hush") || !strings.Contains(dump, `db-uri = "postgres://u:********@db/x"`) {
		t.Error(dump)
	}
}
