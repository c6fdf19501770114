package promises_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestStampede has a thousand clients ask for the same thing that nobody has asked for before.
func TestStampede(t *testing.T) {
	const clients = 1000
	s := serve(t, `create table registers (id int primary key); create table docs (id int primary key, v int); insert into docs values (1, 1);
		create view slow as select docs.*, (select count(*) from generate_series(1, 100000) g where g + id > 0) as n from docs`)
	s.exec("alter role LOGIN set log_statement = 'all'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'LOGIN'")
	eventually(t, "the sessions are new", func() bool { return s.get("/slow").StatusCode == http.StatusOK })
	s.stampede("/registers", clients) // which opens their connections
	rounds, wrong := scale(2, 20), 0
	for range rounds {
		s.exec("update api.docs set v = v + 1")
		s.quiesce()
		before := executions(t, `"slow"`)
		s.stampede("/slow", clients)
		if n := executions(t, `"slow"`) - before; n != 1 {
			wrong++
			t.Errorf("%d clients made %d queries", clients, n)
		}
	}
	record(t, "B10", fmt.Sprintf("%d clients asked for the same at once, %d times; times at which that was not one query are violations", clients, rounds), wrong)
}

// stampede has clients ask at the same time.
func (s *site) stampede(path string, clients int) {
	var ready, asking sync.WaitGroup
	ready.Add(clients)
	for range clients {
		asking.Go(func() {
			ready.Done()
			ready.Wait()
			if a, err := s.try(path); err != nil || a.StatusCode != http.StatusOK {
				s.t.Error(a.body, err)
			}
		})
	}
	asking.Wait()
}

// executions counts the statements in the server's log that have a text in them.
func executions(t *testing.T, text string) int {
	t.Helper()
	return logged(t, pgtest.Server(t).LogFile(), text)
}

func logged(t *testing.T, file, text string) (n int) {
	t.Helper()
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "execute ") && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// TestBudget asks for very many different things, beside a few that are asked for again and again.
func TestBudget(t *testing.T) {
	const hot = 200
	budget := scale(8<<20, 64<<20)
	asked := scale(30_000, 1_000_000)
	s := serve(t, `create table registers (id int primary key); create table docs (id int primary key, note text);
		insert into docs select g, repeat('n', 300) from generate_series(1, 1000) g`, func(s *site) { s.config.CacheMemory = int64(budget) })
	seed := seedOf(t)
	before := heap()
	hits, reads := 0, 0
	var mu sync.Mutex
	var asking sync.WaitGroup
	const clients = 4
	for c := range clients {
		random := rand.New(rand.NewPCG(seed, uint64(c)))
		asking.Go(func() {
			for i := range asked / clients {
				if _, err := s.try(fmt.Sprintf("/docs?id=eq.%d", 1_000_000+random.IntN(1<<30))); err != nil {
					t.Error(err)
					return
				}
				if i%4 != 0 {
					continue
				}
				a, err := s.try(fmt.Sprintf("/docs?id=eq.%d", 1+random.IntN(hot)))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				reads++
				if a.hit() {
					hits++
				}
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	s.client.CloseIdleConnections()
	status, after := s.CacheStatus(), heap()
	grown := int64(after) - int64(before)
	wrong := 0
	if status.Bytes > uint64(budget) {
		wrong++
		t.Errorf("%d bytes are kept, of a budget of %d", status.Bytes, budget)
	}
	if grown > int64(budget)*5/4 {
		wrong++
		t.Errorf("the heap has grown by %d bytes, with a budget of %d", grown, budget)
	}
	if hits < reads*9/10 {
		wrong++
		t.Errorf("only %d of %d reads of what is asked for again and again were hits", hits, reads)
	}
	record(t, "B10", fmt.Sprintf("%d different keys with a budget of %d MiB: %d entries of %.1f MiB are kept, the heap has grown by %.1f MiB; "+
		"of %d reads of %d hot keys in between, %d were hits", asked, budget>>20, status.Entries, float64(status.Bytes)/(1<<20), float64(grown)/(1<<20), reads, hot, hits), wrong)
}

// heap is what is in use, in bytes, after what is not was collected.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
