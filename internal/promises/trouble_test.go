package promises_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestChangesUnderReads changes, while many read, what those reads must not show any more: none that begins after staleness
// may be answered as before, and what is kept afterwards is what the database answers.
func TestChangesUnderReads(t *testing.T) {
	for _, tc := range []struct{ what, sql, path, change string }{
		{"rows are truncated", "insert into docs values (1, 'a')", "/docs", "truncate api.docs"},
		{"a column is dropped", "insert into docs values (1, 'a')", "/docs", "alter table api.docs drop column label"},
		{"a column that is asked for is dropped", "insert into docs values (1, 'a')", "/docs?select=label", "alter table api.docs drop column label"},
		{"a policy is altered", "insert into docs values (1, 'a'); alter table docs enable row level security; create policy p on docs using (true)",
			"/docs", "alter policy p on api.docs using (id > 1)"},
		{"a policy is dropped", "insert into docs values (1, 'a'); alter table docs enable row level security; create policy p on docs using (true)",
			"/docs", "drop policy p on api.docs"},
		{"a right is revoked", "insert into docs values (1, 'a')", "/docs", "revoke select on api.docs from ANON"},
		{"a right to a column is revoked", "insert into docs values (1, 'a'); revoke select on docs from ANON; grant select (id, label) on docs to ANON",
			"/docs?select=id,label", "revoke select (label) on api.docs from ANON"},
		{"the table is dropped", "insert into docs values (1, 'a')", "/docs", "drop table api.docs"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			s := serve(t, "create table registers (id int primary key); create table docs (id int primary key, label text);"+tc.sql)
			s.get(tc.path)
			before := s.get(tc.path)
			if !before.hit() {
				t.Fatalf("not kept: %s %s", before.Header["Cache-Status"], before.body)
			}
			var changed atomic.Int64 // Unix nanoseconds of the acknowledgement
			var wrong atomic.Int64
			ctx, cancel := context.WithCancel(t.Context())
			var reading sync.WaitGroup
			for range 2 {
				reading.Go(func() {
					for ctx.Err() == nil {
						acked, began := changed.Load(), time.Now().UnixNano()
						a, err := s.try(tc.path)
						if err != nil {
							t.Error(err)
							return
						}
						if acked != 0 && began-acked > int64(staleness) && a.body == before.body && a.StatusCode == before.StatusCode {
							wrong.Add(1)
						}
						pause(t, time.Millisecond)
					}
				})
			}
			s.exec(tc.change)
			changed.Store(time.Now().UnixNano())
			eventually(t, "the change is seen", func() bool { return s.get(tc.path).body != before.body })
			pause(t, staleness+200*time.Millisecond)
			cancel()
			reading.Wait()
			if n := wrong.Load(); n > 0 {
				t.Errorf("%d answers as before, more than %v after it", n, staleness)
			}
			s.quiesce()
			for range 2 {
				got, want := s.get(tc.path), s.direct(tc.path)
				if got.body != want.body || got.StatusCode != want.StatusCode {
					t.Errorf("%s %d %s, want %d %s", got.Header["Cache-Status"], got.StatusCode, got.body, want.StatusCode, want.body)
				}
			}
		})
	}
}

// TestManyAnswersOfOneRow changes a row that ten thousand answers show.
func TestManyAnswersOfOneRow(t *testing.T) {
	const answers, clients = 10_000, 8
	s := serve(t, `create table registers (id int primary key); create table docs (id int primary key, v int);
		insert into docs select g, 0 from generate_series(1, 10001) g`)
	path := func(i int) string { return fmt.Sprintf("/docs?select=id,v&id=in.(1,%d)&order=id", i+2) }
	all := func(check func(i int, a answer)) {
		var asking sync.WaitGroup
		for c := range clients {
			asking.Go(func() {
				for i := c; i < answers; i += clients {
					a, err := s.try(path(i))
					if err != nil {
						t.Error(err)
						return
					}
					check(i, a)
				}
			})
		}
		asking.Wait()
	}
	var hits, wrong atomic.Int64
	all(func(int, answer) {})
	all(func(_ int, a answer) {
		if a.hit() {
			hits.Add(1)
		}
	})
	if hits.Load() < answers*9/10 {
		t.Errorf("only %d of %d answers are kept", hits.Load(), answers)
	}
	for v := range 3 {
		s.exec(fmt.Sprintf("update api.docs set v = %d where id = 1", v+1))
		s.quiesce()
		want := fmt.Sprintf(`[{"id":1,"v":%d}`, v+1)
		all(func(i int, a answer) {
			if !strings.HasPrefix(a.body, want) {
				wrong.Add(1)
				t.Errorf("%s: %s %s", path(i), a.Header["Cache-Status"], a.body)
			}
		})
	}
	// One change of another row drops the one answer that shows it.
	before := s.CacheStatus().Entries
	s.exec("update api.docs set v = 9 where id = 5000")
	s.quiesce()
	if after := s.CacheStatus().Entries; before-after > 1 {
		t.Errorf("%d answers of %d have gone with a row that one of them shows", before-after, before)
	}
}

// TestLargeAnswer asks for a hundred megabytes, which are nothing to keep, beside small answers that are.
func TestLargeAnswer(t *testing.T) {
	const rows, size = 100, 1 << 20
	s := serve(t, fmt.Sprintf(`create table registers (id int primary key); insert into registers values (1);
		create table docs (id int primary key, label text); insert into docs select g, repeat(chr(96 + g %% 26), %d) from generate_series(1, %d) g`, size, rows))
	s.get("/registers")
	for range 2 {
		a := s.get("/docs?order=id")
		if len(a.body) < rows*size || a.hit() || !strings.HasSuffix(a.body, "]") {
			t.Errorf("%d bytes, %s", len(a.body), a.Header["Cache-Status"])
		}
	}
	if bytes := s.CacheStatus().Bytes; bytes > size {
		t.Errorf("%d bytes are kept of it", bytes)
	}
	if a := s.get("/registers"); !a.hit() {
		t.Errorf("a small answer has gone: %s", a.Header["Cache-Status"])
	}
	s.exec("update api.docs set label = 'new' where id = 1")
	if a := s.get("/docs?id=eq.1&select=label"); a.body != `[{"label":"new"}]` {
		t.Error(a.body)
	}
}

// TestSuspended stops the whole program for longer than answers may be old, as a laptop's lid or a full virtual machine
// does. Its own clocks of processor time stand still; what was changed meanwhile must be in the first answer after it.
func TestSuspended(t *testing.T) {
	s := prepare(t, registersSchema)
	port := freePort(t)
	server := exec.CommandContext(t.Context(), buildProgram(t), "serve")
	server.Env = append(os.Environ(), "PGRST_DB_URI="+s.config.DBURI, "PGRST_DB_SCHEMAS=api", "PGRST_DB_ANON_ROLE="+s.anon,
		"PGRST_DB_CHANNEL_ENABLED=false", "PGRST_SERVER_PORT="+strconv.Itoa(port), "SLIPSTREAM_ACCESS_LOG=off")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGCONT)
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	read := func() (body string, hit bool) {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/registers?id=eq.1&select=v", port))
		if err != nil {
			return "", false
		}
		defer response.Body.Close()
		var buffer [64]byte
		n, _ := response.Body.Read(buffer[:])
		return string(buffer[:n]), strings.Contains(response.Header.Get("Cache-Status"), "hit")
	}
	wrong := 0
	times := scale(2, 20)
	for i := range times {
		eventually(t, "answers are kept", func() bool { _, hit := read(); return hit })
		if err := server.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		s.exec(fmt.Sprintf("update api.registers set v = %d where id = 1", i+100))
		pause(t, staleness+100*time.Millisecond)
		answered := make(chan string, 1)
		go func() { body, _ := read(); answered <- body }()
		pause(t, 50*time.Millisecond) // the request waits in the socket
		if err := server.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if body, want := <-answered, fmt.Sprintf(`[{"v":%d}]`, i+100); body != want {
			wrong++
			t.Errorf("%s, want %s", body, want)
		}
	}
	record(t, "B1", fmt.Sprintf("the program stopped %d times for longer than that, changes meanwhile, and a request that waits for its awakening", times), wrong)
}

// TestNoSlotIsFree has the server begin while all replication slots are taken: it works without its cache, says why, and
// has it as soon as there is one.
func TestNoSlotIsFree(t *testing.T) {
	pgtest.Own(t, map[string]string{"wal_level": "logical", "max_replication_slots": "1"})
	s := bare(t, registersSchema)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	s.exec("select pg_create_physical_replication_slot('taken')")
	s.run()
	eventually(t, "it is said why", func() bool { return strings.Contains(s.CacheStatus().Reason, "replication slots are in use") })
	for v := range 3 {
		s.exec(fmt.Sprintf("update api.registers set v = %d where id = 1", v+10))
		if a := s.get("/registers?id=eq.1&select=v"); a.hit() || a.body != fmt.Sprintf(`[{"v":%d}]`, v+10) {
			t.Errorf("%v %s", a.Header["Cache-Status"], a.body)
		}
	}
	s.exec("select pg_drop_replication_slot('taken')")
	s.open()
	s.get("/registers?id=eq.1&select=v")
	if a := s.get("/registers?id=eq.1&select=v"); !a.hit() || a.body != `[{"v":12}]` {
		t.Errorf("%v %s", a.Header["Cache-Status"], a.body)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// buildProgram returns the path of cmd/slipstream.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "slipstream")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/slipstream").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}
