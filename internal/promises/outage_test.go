package promises_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestOutages breaks what the cache hears of changes by, in all ways and each twice in a row, while registers are counted
// up. Nothing that is too old may be given meanwhile, and it must get well by itself.
func TestOutages(t *testing.T) {
	seed := seedOf(t)
	var network *proxy
	s := serve(t, registersSchema, func(s *site) { network, s.config.CacheDBURI = through(t, s.config.DBURI) })
	t.Cleanup(func() { s.set("max_slot_wal_keep_size", "-1") })
	g := &registers{site: s}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var counting, reading sync.WaitGroup
	counting.Go(func() { g.increase(ctx, seed) })
	var tally registerTally
	reading.Go(func() { tally = g.watch(ctx, seed) })
	outages := []struct {
		what  string
		cause func()
	}{
		{"the walsender is ended", func() { s.endProcesses("backend_type = 'walsender'") }},
		{"the session of the heartbeats is ended", func() {
			s.endProcesses("backend_type = 'client backend' and application_name = 'slipstream feed'")
		}},
		{"the network breaks", network.cut},
		{"the network breaks and stays away", func() {
			network.refuse(true)
			network.cut()
			pause(t, 2*staleness)
			network.refuse(false)
		}},
		{"the slot is lost", func() {
			s.set("max_slot_wal_keep_size", "1MB")
			network.freeze(true)
			eventually(t, "the slot is lost", func() bool {
				s.exec("select pg_switch_wal()")
				s.exec("insert into api.bulk select g, repeat('x', 100) from generate_series(1, 1000) g; truncate api.bulk; checkpoint")
				return s.value("select count(*) from pg_replication_slots where wal_status <> 'lost' and restart_lsn is not null") == "0"
			})
			network.freeze(false)
			s.set("max_slot_wal_keep_size", "-1")
		}},
	}
	s.exec("create table api.bulk (id int primary key, t text)")
	s.open()
	for range scale(1, 10) {
		for _, o := range outages {
			for range 2 {
				before := s.slot()
				o.cause()
				eventually(t, o.what+", and it gets well", func() bool { now := s.slot(); return now != "" && now != before })
				s.open()
				hits := s.CacheStatus().Hits
				eventually(t, "answers come out of the cache again", func() bool { return s.CacheStatus().Hits > hits })
			}
		}
	}
	cancel()
	counting.Wait()
	reading.Wait()
	record(t, "B5", fmt.Sprintf("%d outages of %d kinds, each followed by the same once more; %d reads, of them %d hits; the oldest hit was %v behind",
		2*len(outages)*scale(1, 10), len(outages), tally.reads, tally.hits, tally.oldest.Round(time.Millisecond)), tally.wrong)
}

// slot is the name of the replication slot in use; empty without one.
func (s *site) slot() string {
	s.t.Helper()
	return s.value(`select coalesce(max(slot_name), '') from pg_replication_slots
		where database = current_database() and active and restart_lsn is not null and wal_status <> 'lost'`)
}

func (s *site) endProcesses(which string) {
	s.t.Helper()
	s.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and " + which)
}

// set changes a setting of the server and waits until that is in force.
func (s *site) set(name, value string) {
	s.t.Helper()
	s.exec("alter system set " + name + " = '" + value + "'")
	s.exec("select pg_reload_conf()")
	eventually(s.t, "the setting is in force", func() bool { return s.value("show "+name) == value })
}

// TestKilled kills the program as the kernel would when memory runs out: nothing in the database may keep its log.
func TestKilled(t *testing.T) {
	s := prepare(t, registersSchema)
	program := buildProgram(t)
	kills := scale(2, 10)
	left := 0
	for range kills {
		server := exec.CommandContext(t.Context(), program, "serve")
		server.Env = append(os.Environ(), "PGRST_DB_URI="+s.config.DBURI, "PGRST_DB_SCHEMAS=api", "PGRST_DB_ANON_ROLE="+s.anon,
			"PGRST_DB_CHANNEL_ENABLED=false", "PGRST_SERVER_PORT=0")
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "there is a slot", func() bool { return s.slot() != "" })
		if err := server.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = server.Wait() // it says that it was killed
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if s.value("select count(*) from pg_replication_slots where database = current_database()") == "0" {
				break
			}
			if time.Now().After(deadline) {
				left++
				break
			}
		}
	}
	record(t, "B6", fmt.Sprintf("the program killed with SIGKILL %d times; replication slots that stayed are violations", kills), left)
}
