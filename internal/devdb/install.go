package devdb

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BinDirEnv names the environment variable with the directory of the server's
// programs (initdb, postgres), which then is the only one looked at.
const BinDirEnv = "SLIPSTREAM_PG_BINDIR"

// oldest is the lowest major version that is supported.
const oldest = 14

// installation is one set of the server's programs.
type installation struct {
	dir   string
	major int
}

func (i installation) program(name string) string { return filepath.Join(i.dir, name) }

// installations finds the installed servers, newest first. It never returns an
// empty list without an error.
func installations() ([]installation, error) {
	if dir := os.Getenv(BinDirEnv); dir != "" {
		found, err := inspect(dir)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", BinDirEnv, dir, err)
		}
		return []installation{found}, nil
	}
	var all []installation
	for _, dir := range slices.Compact(candidates()) {
		if found, err := inspect(dir); err == nil && found.major >= oldest {
			all = append(all, found)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no PostgreSQL server %d or newer is installed: "+
			"install one with the system's package manager (Debian, Ubuntu: apt-get install postgresql; "+
			"Fedora: dnf install postgresql-server; Alpine: apk add postgresql; macOS: brew install postgresql), "+
			"or set %s to the directory of initdb and postgres", oldest, BinDirEnv)
	}
	slices.SortStableFunc(all, func(a, b installation) int { return cmp.Compare(b.major, a.major) })
	return all, nil
}

// candidates are the directories where the server's programs may be.
func candidates() []string {
	var dirs []string
	for _, pattern := range packageDirs() {
		found, _ := filepath.Glob(pattern) // errs on a malformed pattern only
		dirs = append(dirs, found...)
	}
	if dir := askPgConfig(); dir != "" {
		dirs = append(dirs, dir)
	}
	return append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
}

// packageDirs are where packages put the server's programs outside PATH.
// scripts/deps.sh looks there too.
func packageDirs() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                   // PGDG on Fedora, RHEL
		"/usr/libexec/postgresql*",                           // Alpine
		"/opt/homebrew/opt/postgresql@*/bin",                 // macOS on ARM
		"/usr/local/opt/postgresql@*/bin",                    // macOS on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin", // macOS
	}
}

func askPgConfig() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// inspect checks that dir has both programs and asks the server's version.
func inspect(dir string) (installation, error) {
	i := installation{dir: dir}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(i.program(name)); err != nil {
			return i, fmt.Errorf("look for %s: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, i.program("postgres"), "--version").Output()
	if err != nil {
		return i, fmt.Errorf("ask postgres for its version: %w", err)
	}
	i.major, err = parseMajor(string(out))
	return i, err
}

// majorVersion matches "postgres (PostgreSQL) 15.18 (Debian …)", "… 18beta1".
var majorVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func parseMajor(output string) (int, error) {
	m := majorVersion.FindStringSubmatch(output)
	if m == nil {
		return 0, fmt.Errorf("not a version of PostgreSQL: %q", output)
	}
	return strconv.Atoi(m[1])
}

// choose picks the installation for existing data, which only its own major
// version can read, or the newest where there is none (major 0).
func choose(all []installation, major int) (installation, error) {
	if major == 0 {
		return all[0], nil
	}
	for _, i := range all {
		if i.major == major {
			return i, nil
		}
	}
	return installation{}, fmt.Errorf("the data is of PostgreSQL %d, but PostgreSQL %d is installed: "+
		"install version %d, or start over with --reset", major, all[0].major, major)
}
