package tstypes_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The TypeScript compiler, with supabase-js as it comes from npm, takes what is right of testdata/client and refuses
// what is wrong.
func TestClient(t *testing.T) {
	output := compile(t, client(t), "good.ts", "bad.ts")
	if strings.Contains(output, "good.ts(") {
		t.Errorf("good.ts:\n%s", output)
	}
	source := strings.Split(readFile(t, "testdata/client/bad.ts"), "\n")
	var want, got []string
	for i, line := range source {
		if strings.HasPrefix(strings.TrimSpace(line), "// wrong: ") {
			want = append(want, fmt.Sprintf("line %d: %s", i+2, strings.TrimSpace(source[i+1])))
		}
	}
	for line := range strings.Lines(output) {
		var number int
		if _, err := fmt.Sscanf(line, "bad.ts(%d,", &number); err == nil {
			got = append(got, fmt.Sprintf("line %d: %s", number, strings.TrimSpace(source[number-1])))
		}
	}
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("bad.ts: %s\n%s", diff, output)
	}
}

// client is a directory with testdata/client, what it depends on, and the module for it.
func client(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs packages from the network")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("needs npm")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/client")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "database.ts"), []byte(module(t, "public", "private")), 0o600); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir = dir
	if output, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install what the test needs: %v\n%s", err, output)
	}
	return dir
}

// compile returns what the compiler finds.
func compile(t *testing.T, dir string, files ...string) string {
	t.Helper()
	arguments := append([]string{"--strict", "--noEmit", "--skipLibCheck", "--pretty", "false",
		"--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext"}, files...)
	compiler := exec.CommandContext(t.Context(), "node_modules/.bin/tsc", arguments...)
	compiler.Dir = dir
	output, err := compiler.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(output)
}
