package slipstream_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

const overloadTables = `
	create view work as select 1 as id, pg_sleep(0.02)::text as done;
	create view important as select * from work;
	create view item as select * from generate_series(1, 9) id;
	create function nap(s float) returns text stable language sql as 'select pg_sleep(s)::text';
	create function deep() returns int stable language sql as 'select 1';`

func priorities(c *slipstream.Config) {
	c.CacheMode = "off"
	c.AdminServerPort = slipstream.AnyPort
	c.Priorities = map[string]string{"important": "critical", "work": "background", "item": "critical", "rpc/*": "critical"}
}

// overload has many more clients ask for a path than can be served, until f returns. It gives what they got, by code.
func (s *site) overload(path string, f func(refused func() int)) map[string]int {
	s.t.Helper()
	return s.overloadBy(func() (answer, error) { return s.try("GET", path) }, f)
}

// overloadBy is overload by requests of any kind.
func (s *site) overloadBy(send func() (answer, error), f func(refused func() int)) map[string]int {
	s.t.Helper()
	const clients = 60
	var mu sync.Mutex
	got := map[string]int{}
	var over atomic.Bool
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for !over.Load() {
				a, err := send()
				if err != nil {
					if !over.Load() { // else the test has ended, and the server with it
						s.t.Error(err)
					}
					return
				}
				code := strconv.Itoa(a.StatusCode)
				if a.StatusCode == 503 {
					code = s.refusal(a)
					time.Sleep(time.Millisecond)
				}
				mu.Lock()
				got[code]++
				mu.Unlock()
			}
		})
	}
	defer over.Store(true) // where f ends the test
	f(func() int {
		mu.Lock()
		defer mu.Unlock()
		return got["SLIP200"]
	})
	over.Store(true)
	all.Wait()
	return got
}

// refusal is the code of an answer to a client that is to come back, and not at once.
func (s *site) refusal(a answer) string {
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 10 {
		s.t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
	}
	_, code, _ := strings.Cut(a.body, `"code":"`)
	code, _, _ = strings.Cut(code, `"`)
	return code
}

func TestOverloadRefusesWhatMattersLess(t *testing.T) {
	s := serve(t, overloadTables, priorities)
	got := s.overload("/work", func(refused func() int) {
		for n := 0; n < 40 || refused() < 50; n++ {
			if a := s.get("/important"); a.StatusCode != 200 {
				t.Fatalf("a critical request got %d %s", a.StatusCode, a.body)
			}
			if n > 10_000 {
				t.Fatalf("only %d requests were refused", refused())
			}
		}
		_, metrics := s.admin("/metrics")
		for _, want := range []string{
			`slipstream_limit{class="read",upstream="primary"}`, `slipstream_limit_queued{class="rpc",upstream="primary"} 0`,
			`slipstream_overload_level{upstream="primary"}`, `slipstream_shed_total{reason="priority",tier="critical",upstream="primary"} 0`,
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("metrics lack %s", want)
			}
		}
		if strings.Contains(metrics, `slipstream_shed_total{reason="priority",tier="background",upstream="primary"} 0`) {
			t.Error("metrics have no refused request")
		}
	})
	if got["200"] == 0 || len(got) != 2 {
		t.Errorf("answers: %v", got)
	}
}

// Whoever asks for less important work, others find a connection for theirs.
func TestBulkheads(t *testing.T) {
	s := serve(t, overloadTables, priorities, func(c *slipstream.Config) { c.DBPool = 8 })
	var naps sync.WaitGroup
	for range 30 {
		naps.Go(func() { _, _ = s.try("GET", "/rpc/nap?s=0.5") })
	}
	eventually(t, "function calls have what they may have", func() bool {
		return s.value("select count(*) from pg_stat_activity where datname = current_database() and query ~ 'pgrst_call|nap' and state = 'active' and pid <> pg_backend_pid()") != "0"
	})
	for range 20 {
		s.get("/item?limit=1").check(t, 200, `[{"id":1}]`)
	}
	naps.Wait()
}

func TestDegradation(t *testing.T) {
	s := serve(t, overloadTables, priorities, func(c *slipstream.Config) {
		c.Degrade = map[string]string{"count-exact": "1", "rpc-critical": "1", "embeds-over-0": "1", "streams": "1"}
	})
	total := func(n string) func() bool {
		return func() bool {
			a := s.get("/item?limit=1", "Prefer: count=exact")
			return a.Header.Get("Content-Range") == "0-0/"+n && (n == "*") == (a.Header.Get("Preference-Applied") == "")
		}
	}
	off := func(path string, headers ...string) func() bool {
		return func() bool {
			a := s.get(path, headers...)
			return a.StatusCode == 503 && s.refusal(a) == "SLIP201"
		}
	}
	if !total("9")() {
		t.Fatal("the total is missing")
	}
	s.get("/rpc/deep").check(t, 200, "1")
	s.overload("/work", func(func() int) {
		eventually(t, "totals are left out", total("*"))
		eventually(t, "calls are off", off("/rpc/deep"))
		eventually(t, "streams are off", off("/item", "Accept: application/x-ndjson"))
		eventually(t, "embeds are off", off("/item?select=id,other(id)"))
	})
	eventually(t, "totals are back", total("9"))
	eventually(t, "calls are back", func() bool { return s.get("/rpc/deep").StatusCode == 200 })
}

// Reads that are too many for the replicas are overload, too, though the primary has nothing to do.
func TestDegradationByReplicas(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, priorities, func(c *slipstream.Config) {
		c.Priorities["whereabouts"] = "critical"
		c.Degrade = map[string]string{"count-exact": "1"}
	})
	s.exec("create view api.work as select 1 as id, pg_sleep(0.02)::text as done; grant select on api.work to ANON")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	counted := func(text string) func() bool {
		return func() bool { return s.get("/whereabouts", "Prefer: count=exact").Header.Get("Content-Range") == text }
	}
	eventually(t, "the total is there", counted("0-0/1"))
	s.overload("/work", func(func() int) { eventually(t, "totals are left out", counted("0-0/*")) })
	eventually(t, "totals are back", counted("0-0/1"))
}

// A batch is no way to make more of a request: it is as important as the least important of its operations.
func TestBatchesUnderOverload(t *testing.T) {
	s := serve(t, overloadTables, priorities, func(c *slipstream.Config) {
		c.Priorities["rpc/deep"] = "sheddable"
		c.Degrade = map[string]string{"rpc-sheddable": "1"}
	})
	batch := func(operations string) (answer, error) {
		return s.tryWrite("POST", "/", `{"operations": [`+operations+`]}`, "Content-Type: application/vnd.slipstream.batch+json")
	}
	const call = `{"method": "POST", "path": "/rpc/deep"}`
	if a, err := batch(call); err != nil || a.StatusCode != 200 {
		t.Fatalf("%v %d %s", err, a.StatusCode, a.body)
	}
	got := s.overloadBy(func() (answer, error) { return batch(`{"method": "GET", "path": "/work"}`) }, func(refused func() int) {
		eventually(t, "batches are refused", func() bool { return refused() > 50 })
		_, metrics := s.admin("/metrics")
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, "slipstream_shed_total{") && strings.Contains(line, `tier="default"`) && !strings.HasSuffix(line, " 0\n") {
				t.Errorf("background work of batches is refused as that of another tier: %s", line)
			}
		}
		eventually(t, "calls are off in batches, too", func() bool {
			a, err := batch(call)
			return err == nil && a.StatusCode == 503 && strings.Contains(a.body, "SLIP201")
		})
	})
	if got["200"] == 0 {
		t.Errorf("answers: %v", got)
	}
}

func TestTimeForARequest(t *testing.T) {
	s := serve(t, overloadTables, func(c *slipstream.Config) { c.RequestTimeout = 300 * time.Millisecond })
	noMore := func() bool {
		return s.value("select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'") == "0"
	}
	a := s.get("/rpc/nap?s=600")
	a.check(t, 504, "*")
	if !strings.Contains(a.body, `"SLIP222"`) {
		t.Error(a.body)
	}
	eventually(t, "the statement has ended", noMore)
	s.get("/item?limit=1", "Prefer: wait=0, handling=strict").check(t, 400, "*")
	for _, kind := range []string{"true", "false"} {
		a := s.write("POST", "/", `{"transaction": `+kind+`, "operations": [`+strings.Repeat(`{"method": "GET", "path": "/rpc/nap?s=0.1"},`, 49)+`{"method": "GET", "path": "/item"}]}`,
			"Content-Type: application/vnd.slipstream.batch+json")
		if !strings.Contains(a.body, "SLIP222") || kind == "true" && a.StatusCode != 504 {
			t.Errorf("a batch of five seconds, as a transaction: %s: %d %s", kind, a.StatusCode, a.body)
		}
	}
	eventually(t, "the batch has ended", noMore)

	patient := serve(t, overloadTables)
	patient.get("/item?limit=1", "Prefer: wait=20, handling=strict").check(t, 200, `[{"id":1}]`, "Preference-Applied: handling=strict, wait=20")
	patient.get("/rpc/nap?s=600", "Prefer: wait=1").check(t, 504, "*")
}

// A write that is not done in its time is answered so, has left nothing, and its connection is fit for the next one.
func TestTimeForAWrite(t *testing.T) {
	s := serve(t, gateSQL, func(c *slipstream.Config) { c.DBPool, c.RequestTimeout = 1, 300*time.Millisecond })
	for range 2 {
		a := s.write("POST", "/rpc/slowly", `{"id": 1}`)
		a.check(t, 504, "*", "Retry-After:")
		if !strings.Contains(a.body, `"SLIP222"`) || !strings.Contains(a.body, "Nothing was written.") {
			t.Error(a.body)
		}
	}
	eventually(t, "the statement is over", func() bool { return !s.active("%slowly%") })
	s.exec("insert into api.gate values (1)")
	eventually(t, "a write is done", func() bool { return s.write("POST", "/rpc/slowly", `{"id": 2}`).StatusCode == 200 })
	if got := s.value("select string_agg(id::text, ' ') from api.item"); got != "2" {
		t.Errorf("it left %s", got)
	}
}

// Without protection, requests wait their turn for a time, as they do with PostgREST.
func TestWithoutOverloadProtection(t *testing.T) {
	s := serve(t, overloadTables, func(c *slipstream.Config) {
		c.DisableOverloadProtection, c.DBPool, c.DBPoolAcquisitionTimeout = true, 1, 200*time.Millisecond
	})
	codes := make(chan string, 4)
	for range cap(codes) {
		go func() {
			a, err := s.try("GET", "/rpc/nap?s=2")
			codes <- fmt.Sprint(err, a.StatusCode, strings.Contains(a.body, "PGRST003"))
		}()
	}
	counted := map[string]int{}
	for range cap(codes) {
		counted[<-codes]++
	}
	if counted["<nil> 504 true"] != 3 || counted["<nil> 200 false"] != 1 {
		t.Errorf("%v", counted)
	}
}

// What is kept needs no permit: hits go on whatever the database has to do.
func TestHitsNeedNoPermit(t *testing.T) {
	s := cached(t, "create view z as select pg_sleep(0.05)::text;", func(c *slipstream.Config) {
		c.Priorities = map[string]string{"item": "background"}
	})
	s.hit("/item?id=eq.1")
	s.overload("/z", func(refused func() int) {
		for n := 0; n < 200 || refused() < 50; n++ {
			a := s.get("/item?id=eq.1")
			if a.StatusCode != 200 || !strings.Contains(a.Header.Get("Cache-Status"), "hit") {
				t.Fatalf("%d %s %s", a.StatusCode, a.Header.Get("Cache-Status"), a.body)
			}
		}
	})
}

// What is refused under overload is answered as it was, where that is allowed.
func TestStaleAnswersUnderOverload(t *testing.T) {
	s := serve(t, overloadTables+"create table kept as select 1 as id;", modeTTL, func(c *slipstream.Config) {
		c.Priorities = map[string]string{"kept": "background", "work": "background"}
		c.Relations = map[string]slipstream.RelationGuards{
			"kept": {Cache: new("ttl"), CacheTTL: new(100 * time.Millisecond), CacheStaleIfError: new(time.Hour)},
		}
	})
	eventually(t, "it is kept", func() bool { return strings.HasSuffix(s.get("/kept").Header.Get("Cache-Status"), "stored") })
	s.overload("/work", func(refused func() int) {
		eventually(t, "an old answer is served", func() bool {
			a := s.get("/kept")
			a.check(t, 200, "*")
			return strings.Contains(a.Header.Get("Cache-Status"), "fwd=stale; fwd-status=503")
		})
	})
}

func TestEffectiveLimits(t *testing.T) {
	c := slipstream.Config{DBPool: 10, ServerMaxConnections: 500, BufferMemory: 64 << 20, RequestTimeout: 20 * time.Second}
	said := strings.Join(c.EffectiveLimits(), "\n")
	for _, want := range []string{
		"up to 10 requests at a time", "read 4, write 3, rpc 2, own 1", "may take 20s", "500 connections, those of an address 500", "64 MiB",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing:\n%s", want, said)
		}
	}
	c.DBPool = 3
	if said := c.EffectiveLimits()[0]; !strings.Contains(said, "up to 3 requests") || !strings.Contains(said, "takes a db-pool of 4") {
		t.Error(said)
	}
	c.DisableOverloadProtection = true
	if said := c.EffectiveLimits()[0]; !strings.Contains(said, "in the order in which they come; they wait for 10s") {
		t.Error(said)
	}
}
