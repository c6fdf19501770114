package feed_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestHealsWhenTheWalsenderIsKilled(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key)"))
	for i := range 2 {
		slot := f.feed.Status().Slot
		pgtest.Exec(t, f.dsn, fmt.Sprintf("select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '%s'", slot))
		if e := f.state(feed.Broken); !strings.Contains(e.reason, "terminating connection due to administrator command") {
			t.Error(e.reason)
		}
		f.published("item")
		f.state(feed.Live)
		f.expect(f.exec(fmt.Sprintf("insert into item values (%d)", i)), fmt.Sprintf("item insert > (%d)", i))
		if got := f.feed.Status(); got.Slot == slot || got.State != feed.Live || got.Tables != 1 {
			t.Errorf("%+v", got)
		}
	}
}

func TestHealsWhenTheOtherConnectionIsKilled(t *testing.T) {
	healsWhenConnectionsAreKilled(t, follow(t, database(t)))
}

func healsWhenConnectionsAreKilled(t *testing.T, f *follower) {
	t.Helper()
	pgtest.Exec(t, f.dsn, `select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and application_name = 'slipstream feed' and backend_type = 'client backend'`)
	f.state(feed.Broken)
	f.state(feed.Live)
}

// A slot that falls too far behind is lost, with its stream.
func TestHealsWhenTheSlotIsLost(t *testing.T) {
	dsn := cluster(t, directory(t), map[string]string{"max_slot_wal_keep_size": "1MB"}).DSN("postgres")
	pgtest.Exec(t, dsn, "create table item (id int primary key)")
	install(t, dsn)
	f := start(t, dsn)
	f.published("item")
	f.state(feed.Live)
	f.pause.Lock()
	slot := f.feed.Status().Slot
	for i := range 5 {
		pgtest.Exec(t, dsn, fmt.Sprintf("insert into item values (%d)", i), "select pg_switch_wal()")
	}
	pgtest.Exec(t, dsn, "checkpoint")
	await(t, dsn, "select not exists (select from pg_replication_slots where slot_name = $1 and active)", slot)
	f.pause.Unlock()
	f.state(feed.Broken)
	f.published("item")
	f.state(feed.Live)
	f.expect(f.exec("delete from item where id = 1"), "item delete (1)")
}

// The server restarts, then as a standby, then becomes a primary on a timeline of its own.
func TestHealsWhenTheServerRestarts(t *testing.T) {
	dir := directory(t)
	c := cluster(t, dir, nil)
	dsn := c.DSN("postgres")
	install(t, dsn)
	f := follow(t, dsn)

	stop(t, c)
	f.state(feed.Broken)
	c = cluster(t, dir, nil)
	f.state(feed.Live)

	stop(t, c)
	f.state(feed.Broken)
	if err := os.WriteFile(c.Dir()+"/data/standby.signal", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cluster(t, dir, nil)
	f.await("refused as a standby", func(e event) bool { return e.state == feed.Broken && strings.Contains(e.reason, "standby") })
	if got := problems(t, dsn); got != "the server is a standby: connect to the primary" {
		t.Error(got)
	}
	pgtest.Exec(t, dsn, "select pg_promote()")
	f.state(feed.Live)
	if got := pgtest.Value(t, dsn, "select timeline_id from pg_control_checkpoint()"); got != "2" {
		t.Errorf("timeline %s", got)
	}
	f.stop() // before the server does
}

func TestRefusesServersWithoutLogicalLog(t *testing.T) {
	dsn := cluster(t, directory(t), map[string]string{"wal_level": "replica", "max_replication_slots": "0"}).DSN("postgres")
	want := "wal_level is replica: put wal_level = logical into postgresql.conf and restart the server"
	f := start(t, dsn)
	if e := f.state(feed.Broken); e.reason != want {
		t.Error(e.reason)
	}
	if err := feed.Install(t.Context(), dsn, "postgres", nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	for _, p := range []string{want, "all replication slots are in use: raise max_replication_slots and restart the server"} {
		if got := problems(t, dsn); !strings.Contains(got, p) {
			t.Errorf("%s: not in\n%s", p, got)
		}
	}
}

// strayEnv makes TestStray a test that follows a database until it is killed.
const strayEnv = "SLIPSTREAM_TEST_STRAY"

// TestStray is the process that other tests kill.
func TestStray(t *testing.T) {
	dsn, redis, _ := strings.Cut(os.Getenv(strayEnv), "\n")
	if dsn == "" {
		t.Skip("run by another test")
	}
	var change []func(*feed.Options)
	if redis != "" {
		change = append(change, sharing(relay(t, redis), 1))
	}
	f := follow(t, dsn, change...)
	fmt.Println(f.feed.Status().Slot)
	select {}
}

// stray starts a process that follows a database, with others if there is a Redis, and returns the name of its slot.
func stray(t *testing.T, dsn, redis string) (process *exec.Cmd, slot string) {
	t.Helper()
	process = exec.Command(os.Args[0], "-test.run", "^TestStray$")
	process.Env = append(os.Environ(), strayEnv+"="+dsn+"\n"+redis)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return process, strings.TrimSpace(line)
}

// A slot that outlived its process would keep the server from recycling its log for ever.
func TestKilledProcessesLeaveNoSlot(t *testing.T) {
	dsn := database(t)
	process, slot := stray(t, dsn, "")
	const slots = "select count(*) from pg_replication_slots where slot_name = $1"
	if got := pgtest.Value(t, dsn, slots, slot); got != "1" {
		t.Errorf("%s slots", got)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // it was killed
	await(t, dsn, "select count(*) = 0 from pg_replication_slots where slot_name = $1", slot)
}
