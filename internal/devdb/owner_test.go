package devdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// ownerEnv makes the test binary start a cluster in the directory it names and
// wait to be killed.
const ownerEnv = "SLIPSTREAM_TEST_OWN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		own(dir)
	}
	pgtest.Main(m)
}

func own(dir string) {
	c, err := tryStart(devdb.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(c.PostmasterPID()) + "\n")
	select {}
}

func connect(dsn string) error {
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		return err
	}
	return conn.Close(context.Background())
}

// runOwner starts a process that owns a cluster in dir, and returns it with the
// server's process id.
func runOwner(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return cmd, pid
}

func TestTheNextStartTakesOverFromAKilledOwner(t *testing.T) {
	dir := newDir(t)
	owner, pid := runOwner(t, dir)
	if _, err := tryStart(devdb.Options{Dir: dir}); !errors.Is(err, devdb.ErrInUse) {
		t.Fatalf("while the owner lives: %v", err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // it was killed
	c := start(t, devdb.Options{Dir: dir})
	pgtest.Exec(t, c.DSN("postgres"), "select 1")
	if c.PostmasterPID() == pid {
		t.Error("the old server was kept")
	}
}

func TestTheServerEndsWithAKilledOwner(t *testing.T) {
	owner, pid := runOwner(t, newDir(t))
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux tells children of their parent's death")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // it was killed
	for ctx := t.Context(); alive(pid); time.Sleep(10 * time.Millisecond) {
		if deadline, ok := t.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < time.Second {
			t.Fatal("the server outlives its owner")
		}
	}
}

// alive tells whether a process runs: a dead one that nobody has waited for
// has no command line.
func alive(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && len(b) > 0
}

func TestStartStopsAServerLeftBehind(t *testing.T) {
	dir, done := leaveBehind(t)
	c := start(t, devdb.Options{Dir: dir})
	<-done
	pgtest.Exec(t, c.DSN("postgres"), "select 1")
}

func TestRemoveStopsAServerLeftBehind(t *testing.T) {
	dir, done := leaveBehind(t)
	if err := devdb.Remove(t.Context(), dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	<-done
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory after Remove: %v", err)
	}
}

func leaveBehind(t *testing.T) (dir string, done <-chan struct{}) {
	t.Helper()
	dir = newDir(t)
	stop(t, start(t, devdb.Options{Dir: dir}))
	done, err := devdb.LeaveBehind(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, done
}

func TestACrashIsNoticedAndRecovered(t *testing.T) {
	dir := newDir(t)
	c := start(t, devdb.Options{Dir: dir})
	pgtest.Exec(t, c.DSN("postgres"), "create table kept ()")
	if err := syscall.Kill(c.PostmasterPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Err: %v", err)
	}
	stop(t, c)

	c = start(t, devdb.Options{Dir: dir})
	if got := pgtest.Value(t, c.DSN("postgres"), "select to_regclass('kept')"); got != "kept" {
		t.Errorf("table is %q", got)
	}
}

func TestAStalePidOfAnotherProgramIsNoHindrance(t *testing.T) {
	dir := newDir(t)
	c := start(t, devdb.Options{Dir: dir})
	stop(t, c)
	sleeper := exec.Command("sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	pidFile := filepath.Join(c.DataDir(), "postmaster.pid")
	stale := strconv.Itoa(sleeper.Process.Pid) + "\n" + c.DataDir() + "\n1700000000\n5432\n/nowhere\n"
	if err := os.WriteFile(pidFile, []byte(stale), 0o644); err != nil {
		t.Fatal(err)
	}

	c = start(t, devdb.Options{Dir: dir})
	pgtest.Exec(t, c.DSN("postgres"), "select 1")
	if err := sleeper.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other program was hit: %v", err)
	}
}

func TestTheServerNeverRunsAsRoot(t *testing.T) {
	dir := newDir(t)
	c := start(t, devdb.Options{Dir: dir})
	info, err := os.Stat(c.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	if info.Sys().(*syscall.Stat_t).Uid == 0 || info.Mode().Perm() != 0o700 {
		t.Errorf("data: owner %d, mode %o", info.Sys().(*syscall.Stat_t).Uid, info.Mode().Perm())
	}
	socket, err := os.Stat(c.SocketDir())
	if err != nil {
		t.Fatal(err)
	}
	if socket.Mode().Perm() != 0o700 {
		t.Errorf("socket directory: mode %o", socket.Mode().Perm())
	}
}

func TestADirectoryClosedToTheServersUserHasAStandIn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root drops to another user")
	}
	dir := newDir(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "project", ".slipstream")
	t.Cleanup(func() { _ = os.RemoveAll(devdb.Refuge(inner)) })
	c := start(t, devdb.Options{Dir: inner})
	if c.Dir() != devdb.Refuge(inner) {
		t.Errorf("cluster is in %s", c.Dir())
	}
	pgtest.Exec(t, c.DSN("postgres"), "create table kept ()")
	stop(t, c)
	c = start(t, devdb.Options{Dir: inner})
	pgtest.Exec(t, c.DSN("postgres"), "drop table kept")
	stop(t, c)

	if err := devdb.Remove(t.Context(), inner, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{inner, c.Dir()} {
		if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after Remove: %v", gone, err)
		}
	}
}
