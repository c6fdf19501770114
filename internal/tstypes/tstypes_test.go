package tstypes_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/tstypes"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing them")

func TestMain(m *testing.M) { pgtest.Main(m) }

// module describes the schema of testdata.
func module(t *testing.T, schemas ...string) string {
	t.Helper()
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, readFile(t, "testdata/schema.sql"))
	got, err := tstypes.Generate(t.Context(), dsn, schemas)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGolden(t *testing.T) {
	for path, schemas := range map[string][]string{
		"testdata/public.ts":  {"public"},
		"testdata/private.ts": {"private", "public"},
	} {
		got := module(t, schemas...)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(readFile(t, path), got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}
