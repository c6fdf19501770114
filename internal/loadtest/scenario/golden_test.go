package scenario_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the difference\ngot:\n%s", path, got)
	}
}

// environment has all but MISSING.
func environment(name string) (string, bool) {
	if name == "BROKEN" {
		return "s3cret\r\nX-Evil: 1", true
	}
	return "s3cret", name != "MISSING"
}

// TestParse shows for each scenario of testdata/parse its first requests, or what is wrong with it.
func TestParse(t *testing.T) {
	paths, err := filepath.Glob("testdata/parse/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var b strings.Builder
			s, err := scenario.Load(path)
			if err == nil {
				var load loadtest.Load
				if load, err = s.Load(filepath.Dir(path), environment); err == nil {
					show(&b, load)
				}
			}
			if err != nil {
				b.WriteString(strings.ReplaceAll(err.Error(), "testdata/parse/", "") + "\n")
			}
			if strings.Contains(b.String(), "X-Evil") || strings.Contains(b.String(), "secret-1") {
				t.Error("a secret is in an error")
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", b.String())
		})
	}
}

// show writes what a load is, and the first requests of each shape.
func show(b *strings.Builder, load loadtest.Load) {
	fmt.Fprintf(b, "target %s, seed %d, arrivals %d, connections %d, at most %d, protocol %d, timeout %s\n",
		load.Target, load.Seed, load.Arrivals, load.Connections, load.MaxConnections, load.Protocol, load.Timeout)
	for _, p := range load.Phases {
		fmt.Fprintf(b, "phase %+v\n", p)
	}
	const each = 3
	shapes := load.Source.Shapes()
	shown := make([][]string, len(shapes))
	var r loadtest.Request
	for n := range uint64(500) {
		load.Source.Request(n, &r)
		if len(shown[r.Shape]) < each {
			shown[r.Shape] = append(shown[r.Shape], text(n, r))
		}
	}
	for i, shape := range shapes {
		fmt.Fprintf(b, "\n== %s [%s]\n%s", shape.Name, shape.Group, strings.Join(shown[i], ""))
	}
}

func text(n uint64, r loadtest.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d: %s %s\n", n, r.Method, r.Path)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "  %s: %s\n", f.Name, f.Value)
	}
	if len(r.Body) > 0 {
		fmt.Fprintf(&b, "  %q\n", r.Body)
	}
	return b.String()
}
