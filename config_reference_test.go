package slipstream_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

var update = flag.Bool("update", false, "write generated files instead of comparing them")

func TestReference(t *testing.T) {
	const path = "docs/configuration.md"
	want := slipstream.ConfigReference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the table of options says; run make generate:\n%s", path, diff)
	}
}
