package devdb_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// newDir makes a directory that the server's user can enter, which t.TempDir
// is not when root runs the tests.
func newDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slipstream-devdb-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := devdb.Remove(context.Background(), dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func start(t testing.TB, opts devdb.Options) *devdb.Cluster {
	t.Helper()
	c, err := tryStart(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func tryStart(opts devdb.Options) (*devdb.Cluster, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	settings := map[string]string{"fsync": "off", "shared_buffers": "16MB"}
	for name, value := range opts.Settings {
		settings[name] = value
	}
	opts.Settings = settings
	return devdb.Start(context.Background(), opts)
}

func stop(t testing.TB, c *devdb.Cluster) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestStartGivesAServerForTheJob(t *testing.T) {
	c := start(t, devdb.Options{Dir: newDir(t), Settings: map[string]string{"work_mem": "7MB"}})
	for setting, want := range map[string]string{
		"wal_level": "logical", "listen_addresses": "", "work_mem": "7MB", "server_encoding": "UTF8", "fsync": "off",
	} {
		if got := pgtest.Value(t, c.DSN("postgres"), "select current_setting($1)", setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	if got := pgtest.Value(t, c.DSN("postgres"), "select current_user"); got != "postgres" {
		t.Errorf("superuser is %q", got)
	}
	if c.Version() < 14 || c.TCPDSN("postgres") != "" || c.Err() != nil {
		t.Errorf("version %d, TCP %q, error %v", c.Version(), c.TCPDSN("postgres"), c.Err())
	}
}

func TestDataOutlivesTheServer(t *testing.T) {
	dir := newDir(t)
	c := start(t, devdb.Options{Dir: dir, Superuser: "boss"})
	pgtest.Exec(t, c.DSN("postgres"), "create table kept (id int)", "create role guest login")
	stop(t, c)
	select {
	case <-c.Done():
	default:
		t.Error("Done is open after Stop")
	}
	if err := c.Err(); err != nil {
		t.Errorf("Err after Stop: %v", err)
	}

	c = start(t, devdb.Options{Dir: dir, Superuser: "boss"})
	if got := pgtest.Value(t, c.DSNAs("guest", "postgres"), "select current_user || to_regclass('kept')"); got != "guestkept" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(c.LogFile() + ".old"); err != nil {
		t.Errorf("the first run's log: %v", err)
	}
	stop(t, c)

	c = start(t, devdb.Options{Dir: dir, Superuser: "boss", Reset: true})
	if got := pgtest.Value(t, c.DSN("postgres"), "select to_regclass('kept')"); got != "" {
		t.Error("data survived the reset")
	}
}

func TestTwoClustersRunSideBySide(t *testing.T) {
	one := start(t, devdb.Options{Dir: newDir(t)})
	two := start(t, devdb.Options{Dir: newDir(t)})
	pgtest.Exec(t, one.DSN("postgres"), "create table only_in_one ()")
	if got := pgtest.Value(t, two.DSN("postgres"), "select to_regclass('only_in_one')"); got != "" {
		t.Error("both DSNs lead to one server")
	}
}

func TestASecondOwnerIsRefused(t *testing.T) {
	dir := newDir(t)
	c := start(t, devdb.Options{Dir: dir})
	if _, err := tryStart(devdb.Options{Dir: dir, Reset: true}); !errors.Is(err, devdb.ErrInUse) {
		t.Errorf("Start: %v", err)
	}
	if err := devdb.Remove(t.Context(), dir, slog.New(slog.DiscardHandler)); !errors.Is(err, devdb.ErrInUse) {
		t.Errorf("Remove: %v", err)
	}
	pgtest.Exec(t, c.DSN("postgres"), "select 1")
}

func TestTCPNeedsThePassword(t *testing.T) {
	c := start(t, devdb.Options{Dir: newDir(t), TCP: true})
	if got := pgtest.Value(t, c.TCPDSN("postgres"), "select host(inet_server_addr())"); got != "127.0.0.1" {
		t.Errorf("server address %q", got)
	}
	wrong, err := url.Parse(c.TCPDSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword("postgres", "guess")
	if err := connect(wrong.String()); err == nil {
		t.Error("a wrong password was let in")
	}
	// A second start keeps the password and works on whatever port it finds.
	stop(t, c)
	c = start(t, devdb.Options{Dir: filepath.Dir(c.DataDir()), TCP: true})
	pgtest.Exec(t, c.TCPDSN("postgres"), "select 1")
}

func TestALongPathGetsAShorterSocket(t *testing.T) {
	dir := filepath.Join(newDir(t), strings.Repeat("long/", 30))
	c := start(t, devdb.Options{Dir: dir})
	pgtest.Exec(t, c.DSN("postgres"), "select 1")
	if strings.HasPrefix(c.SocketDir(), dir) {
		t.Error("the socket is in the long directory")
	}
	stop(t, c)
	if _, err := os.Stat(c.SocketDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's directory after Stop: %v", err)
	}
}

func TestAFailedStartShowsTheLog(t *testing.T) {
	dir := newDir(t)
	_, err := tryStart(devdb.Options{Dir: dir, Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	start(t, devdb.Options{Dir: dir}) // and leaves the directory usable
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := newDir(t)
	_, err := devdb.Start(ctx, devdb.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	start(t, devdb.Options{Dir: dir}) // the interrupted initdb is no hindrance
}

func TestStartNeedsADirectory(t *testing.T) {
	if _, err := tryStart(devdb.Options{}); err == nil {
		t.Error("no error")
	}
}

func TestStartSaysWhatItCreates(t *testing.T) {
	var log bytes.Buffer
	start(t, devdb.Options{Dir: newDir(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "creating a private PostgreSQL cluster") {
		t.Errorf("log: %s", &log)
	}
}
