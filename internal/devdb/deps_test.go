package devdb_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/devdb"
)

const depsScript = "../../scripts/deps.sh"

// runDeps runs the script on a machine that has the given programs alone, each
// a shell script. It returns what the script said and its exit status.
func runDeps(t *testing.T, programs map[string]string, args ...string) (output string, status int) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"sh", "id", "env", "ls", "sort", "tail", "cp"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(bin, "sh"), append([]string{depsScript}, args...)...)
	cmd.Env = []string{"PATH=" + bin, "BIN=" + bin, "CI=true"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestDepsInstallsWhatIsMissing(t *testing.T) {
	for _, manager := range []string{"apt-get", "dnf", "apk", "brew"} {
		// This one puts a program in place, as a package manager would.
		body := `echo "` + manager + ` $*"; cp "$BIN/sh" "$BIN/wrk"`
		sudo := `[ "$1" = -n ] && shift; exec "$@"` // never asks where CI=true
		out, status := runDeps(t, map[string]string{manager: body, "sudo": sudo}, "wrk")
		if status != 0 || !strings.Contains(out, "missing: wrk, the load generator") || !strings.Contains(out, "wrk\n") ||
			!strings.Contains(out, manager+" ") {
			t.Errorf("%s: status %d, said:\n%s", manager, status, out)
		}
	}
}

func TestDepsIsSilentWhereAllIsThere(t *testing.T) {
	out, status := runDeps(t, map[string]string{"initdb": "", "wrk": ""}, "postgres", "wrk")
	if status != 0 || out != "" {
		t.Errorf("status %d, said: %s", status, out)
	}
}

func TestDepsSaysWhatToDoByHand(t *testing.T) {
	for name, c := range map[string]struct {
		programs map[string]string
		args     []string
		status   int
		says     string
	}{
		"no manager":         {nil, []string{"wrk"}, 1, "install wrk by hand"},
		"manager fails":      {map[string]string{"apk": "exit 1", "sudo": `exec "$@"`}, []string{"wrk"}, 1, "install wrk by hand"},
		"manager lies":       {map[string]string{"brew": "exit 0"}, []string{"wrk"}, 1, "still not found"},
		"unknown dependency": {nil, []string{"mysql"}, 2, "unknown: mysql"},
		"nothing asked":      {nil, nil, 2, "usage"},
	} {
		out, status := runDeps(t, c.programs, c.args...)
		if status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%s: status %d, said: %s", name, status, out)
		}
	}
}

// The script must not install what Start would find.
func TestDepsLooksWhereStartLooks(t *testing.T) {
	script, err := os.ReadFile(depsScript)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range devdb.PackageDirs() {
		if !strings.Contains(string(script), dir+"/initdb") {
			t.Errorf("the script does not look in %s", dir)
		}
	}
	if !strings.Contains(string(script), devdb.BinDirEnv) {
		t.Errorf("the script does not know %s", devdb.BinDirEnv)
	}
}
