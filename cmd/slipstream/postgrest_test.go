package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFromPostgREST(t *testing.T) {
	file := filepath.Join(t.TempDir(), "postgrest.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"":                        "",
		"FILE":                    "serve --config FILE",
		"--dump-config":           "config --dump",
		"--dump-config FILE":      "config --dump --config FILE",
		"FILE --dump-config":      "config --dump --config FILE",
		"--ready missing.conf":    "ready --config missing.conf",
		"-e":                      "config --example",
		"-v FILE":                 "version",
		"missing.conf":            "missing.conf",
		"serve --config FILE":     "serve --config FILE",
		"config --dump":           "config --dump",
		"--dump-config FILE more": "--dump-config FILE more",
		"--help":                  "--help",
	} {
		got := strings.Join(fromPostgREST(strings.Fields(strings.ReplaceAll(line, "FILE", file))), " ")
		if got = strings.ReplaceAll(got, file, "FILE"); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]string{
		"*": "127.0.0.1", "*4": "127.0.0.1", "!4": "127.0.0.1", "0.0.0.0": "127.0.0.1", "*6": "::1", "!6": "::1", "::": "::1",
		"10.0.0.1": "10.0.0.1", "localhost": "localhost",
	} {
		if got := loopback(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}
