package pgtest

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"testing"

	"github.com/slipstream-go/slipstream/internal/devdb"
)

// Own starts a server of the test's own with settings (postgresql.conf names), on which Database and Role work until the end
// of the test. Such a test cannot be parallel.
func Own(t *testing.T, settings map[string]string) *devdb.Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", dirPattern)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // for another system user to pass through
		t.Fatal(err)
	}
	all := map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB", "max_connections": "50"}
	maps.Copy(all, settings)
	c, err := devdb.Start(t.Context(), devdb.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), Settings: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Setenv(urlEnv, c.DSN("postgres"))
	return c
}
