package pgtest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
)

// Replica is a streaming standby of the test process's own server.
type Replica struct {
	*devdb.Cluster
	t   testing.TB
	dir string
}

// Standby starts a standby of Server, which ends with the test.
func Standby(t testing.TB) *Replica {
	t.Helper()
	primary := Server(t)
	dir, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(dir) })
	r := &Replica{t: t, dir: dir}
	if r.Cluster, err = startCluster(dir, primary); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// At is the URL of a database of Server's on the standby, for the same user.
func (r *Replica) At(dsn string) string {
	r.t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.DSNAs(u.User.Username(), strings.TrimPrefix(u.Path, "/"))
}

// Stop ends the server. Stopping twice is harmless.
func (r *Replica) Stop() {
	r.t.Helper()
	if err := r.Cluster.Stop(context.Background()); err != nil {
		r.t.Error(err)
	}
}

// Start starts it again after Stop, at the same address.
func (r *Replica) Start() {
	r.t.Helper()
	var err error
	if r.Cluster, err = startCluster(r.dir, nil); err != nil {
		r.t.Fatal(err)
	}
}

// Pause has changes arrive and be kept, but not be seen, until Resume.
func (r *Replica) Pause() {
	r.t.Helper()
	r.exec("select pg_wal_replay_pause()")
	r.await("replay pauses", "select pg_get_wal_replay_pause_state() = 'paused'")
}

// Resume ends Pause.
func (r *Replica) Resume() {
	r.t.Helper()
	r.exec("select pg_wal_replay_resume()")
}

// Promote makes it a primary, with a history of its own.
func (r *Replica) Promote() {
	r.t.Helper()
	r.exec("select pg_promote()")
	r.await("it is promoted", "select not pg_is_in_recovery()")
}

// CatchUp waits until all that was committed on the primary before can be seen. On a server whose commits are asynchronous,
// they need a push to get into the log.
func (r *Replica) CatchUp() {
	r.t.Helper()
	const push = "select pg_logical_emit_message(true, 'pgtest', '') from set_config('synchronous_commit', 'on', true)"
	position := Value(r.t, Server(r.t).DSN("postgres"), push)
	r.await("it has caught up", "select pg_last_wal_replay_lsn() >= '"+position+"'")
}

func (r *Replica) exec(sql string) {
	r.t.Helper()
	Exec(r.t, r.DSN("postgres"), sql)
}

func (r *Replica) await(what, sql string) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); Value(r.t, r.DSN("postgres"), sql) != "t"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("in vain: %s", what)
		}
	}
}
