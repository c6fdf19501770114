package chaos_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/chaos"
)

const failover = `# A replica goes away, and then the primary.
seed: 7
for: 60s
processes:
  primary:
    command: [postgres, -D, data]
    env: {PGPORT: 5440}
    ready: 127.0.0.1:5440
    output: primary.log
proxies:
  replica-2:
    listen: 127.0.0.1:6432
    upstream: 127.0.0.1:5432
    faults:
      - latency: 5ms±2ms
timeline:
  - {at: 10s, for: 5s, proxy: replica-2, blackhole: true}
  - {at: 20s, for: 1s, every: 10s, proxy: replica-2, reset: 1KiB, probability: 10%}
  - {at: 30s, for: 5s, process: primary, do: kill}
`

func TestScenariosAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "failover.yaml")
	if err := os.WriteFile(file, []byte(failover), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := chaos.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &chaos.Scenario{
		Seed: 7, For: time.Minute,
		Processes: map[string]chaos.ProcessConfig{"primary": {
			Command: []string{"postgres", "-D", "data"}, Env: map[string]string{"PGPORT": "5440"}, Ready: "127.0.0.1:5440", Output: "primary.log",
		}},
		Proxies: map[string]chaos.ProxyConfig{"replica-2": {
			Listen: "127.0.0.1:6432", Upstream: "127.0.0.1:5432",
			Faults: []chaos.Fault{{Latency: chaos.Latency{Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond}}},
		}},
		Timeline: []chaos.Step{
			{Proxy: "replica-2", Fault: chaos.Fault{At: 10 * time.Second, For: 5 * time.Second, Blackhole: &chaos.Point{}}},
			{Proxy: "replica-2", Fault: chaos.Fault{
				At: 20 * time.Second, For: time.Second, Every: 10 * time.Second, Reset: &chaos.Point{Bytes: 1024}, Probability: 0.1,
			}},
			{Process: "primary", Do: "kill", Fault: chaos.Fault{At: 30 * time.Second, For: 5 * time.Second}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := chaos.Load(file + "x"); err == nil {
		t.Error("read what is not there")
	}
}

func TestScenariosThatCannotBe(t *testing.T) {
	for from, to := range map[string][2]string{
		"upstream: 127.0.0.1:5432": {"upstrem: 127.0.0.1:5432", "s.yaml:13:5: there is no upstrem here; there are faults, listen, protocol, upstream"},
		"upstream: 127.0.0.1:":     {"upstream: port-", `s.yaml:12:5: "port-5432" is no upstream; write an address such as 127.0.0.1:5432`},
		"seed: 7":                  {"sead: 7", "s.yaml:2:1: there is no sead here; there are for, processes, proxies, seed, timeline"},
		"proxy: replica-2, black":  {"proxy: replica-3, black", "s.yaml:2:1: step 1 of the timeline: there is no proxy replica-3; there are replica-2"},
		"blackhole: true}":         {"blackhole: true, do: kill}", "s.yaml:17:6: do is for processes"},
		"do: kill}":                {"do: murder}", `s.yaml:19:6: "murder" cannot be done to a process; write kill, stop or restart`},
		"process: primary, do":     {"process: secondary, do", "step 3 of the timeline: there is no process secondary; there are primary"},
		"for: 5s, process":         {"for: 5s, proxy: replica-2, process", "s.yaml:19:6: a step has either a proxy with a fault"},
		"process: primary, do: k":  {"process: primary, reset: true, do: k", "a process has no connections that a fault could meet"},
		"for: 5s, process: primary, do: kill": {
			"process: primary, do: stop", "s.yaml:19:6: stop needs a for",
		},
		"command: [postgres, -D, data]": {"dir: /", "s.yaml:6:5: a process needs a command"},
		"[postgres, -D, data]":          {"postgres", "s.yaml:6:14: write a list"},
		"    faults:":                   {"    protocol: smtp\n    faults:", `"smtp" is no protocol that is known`},
		"- latency: 5ms±2ms":            {"- http: {status: 500}\n      - cut: {after: Query}", "cannot be in a proxy for http; make a second proxy"},
		"timeline:":                     {"timeline:\n  - {proxy: replica-2, cut: {after: Query}}\n  - {proxy: replica-2, http: {status: 500}}", "cannot be in a proxy for"},
		failover:                        {"", "s.yaml: there must be one document"},
		failover[strings.Index(failover, "processes:"):]: {"", "a scenario needs proxies or processes"},
		"proxies:\n  replica-2:":                         {"proxies:\n  - replica-2:", "s.yaml:"},
	} {
		source := strings.Replace(failover, from, to[0], 1)
		if source == failover {
			t.Fatalf("%q is not in it", from)
		}
		if _, err := chaos.Parse("s.yaml", []byte(source)); err == nil || !strings.Contains(err.Error(), to[1]) {
			t.Errorf("%s: %v\nwant %s", to[0], err, to[1])
		}
	}
}

// All mistakes are told at once.
func TestAllProblemsAreTold(t *testing.T) {
	_, err := chaos.Parse("s.yaml", []byte("proxies: {a: {upstream: 'x:1', faults: [{latency: 5}, {reset: maybe}]}}\nfor: long\nsaed: 1\n"))
	if err == nil || strings.Count(err.Error(), "s.yaml:") != 4 || strings.Count(err.Error(), "\n") != 3 {
		t.Error(err)
	}
}

func TestTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		exit := newMemory()
		var mu sync.Mutex
		var got []string
		s, err := chaos.Parse("s.yaml", []byte(`
for: 60s
proxies: {db: {upstream: 'memory:1', faults: [{latency: 5ms}]}}
timeline:
  - {at: 10s, for: 5s, proxy: db, blackhole: true}
  - {at: 40s, proxy: db, name: crash, reset: true}
  - {at: 20s, for: 1s, every: 30s, proxy: db, refuse: true}
`))
		if err != nil {
			t.Fatal(err)
		}
		db := s.Proxies["db"]
		db.Listener, db.Dial = newMemory(), exit.dial
		s.Proxies["db"] = db
		r, err := s.Open(t.Context(), chaos.Options{Events: func(e chaos.Event) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, e.Time.Sub(began).String()+" "+string(e.Action)+" "+e.Proxy+" "+e.Fault)
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Error(err)
		}
		want := []string{
			"0s begun db latency", "10s begun db blackhole", "15s ended db blackhole", "20s begun db refuse", "21s ended db refuse",
			"40s begun db crash", "50s begun db refuse", "51s ended db refuse", "1m0s ended db latency", "1m0s ended db crash",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if time.Since(began) != time.Minute {
			t.Error(time.Since(began))
		}
		kept, n := r.Events(8)
		if n != 10 || len(kept) != 2 || kept[0].Fault != "latency" {
			t.Error(n, kept)
		}
		if kept, _ := r.Events(99); len(kept) != 0 {
			t.Error(kept)
		}
	})
}

// Processes are killed and started again while the timeline goes on.
func TestTimelineOfProcesses(t *testing.T) {
	noLeaks(t)
	address := freeAddress(t)
	events := make(chan chaos.Event, 99)
	killed := server(address, "")
	r, err := (&chaos.Scenario{
		Processes: map[string]chaos.ProcessConfig{"server": killed},
		Proxies:   map[string]chaos.ProxyConfig{"way": {Upstream: address}},
		Timeline: []chaos.Step{
			{Process: "server", Do: "kill", Fault: chaos.Fault{At: 10 * time.Millisecond, For: time.Millisecond}},
			{Process: "server", Do: "stop", Fault: chaos.Fault{At: time.Hour, For: time.Second}},
		},
	}).Open(t.Context(), chaos.Options{Events: func(e chaos.Event) { events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	c := dial(t, r.Proxy("way").Addr())
	if err := ask(c, "hello"); err != nil {
		t.Error(err)
	}
	go func() { done <- r.Run(ctx) }()
	for _, want := range []chaos.Action{chaos.Started, chaos.Killed, chaos.Started} {
		for e := range events {
			if e.Process == "server" {
				if e.Action != want {
					t.Errorf("%s, want %s", e.Action, want)
				}
				break
			}
		}
	}
	if err := ask(c, "hello"); err == nil {
		t.Error("the connection has survived")
	}
	if err := ask(dial(t, r.Proxy("way").Addr()), "hello"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the process has outlived the scenario")
	}
}

// What has been opened is closed when the rest cannot be.
func TestAScenarioThatCannotBeOpened(t *testing.T) {
	noLeaks(t)
	taken := through(t, "127.0.0.1:1")
	address := freeAddress(t)
	_, err := (&chaos.Scenario{
		Processes: map[string]chaos.ProcessConfig{"server": server(address, "")},
		Proxies:   map[string]chaos.ProxyConfig{"a": {Upstream: "127.0.0.1:1"}, "b": {Upstream: "127.0.0.1:1", Listen: taken.Addr()}},
	}).Open(t.Context(), chaos.Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "proxy b: ") {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the process was left")
	}
}
