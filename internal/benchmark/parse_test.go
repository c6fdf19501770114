package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// refusing is the host of a server that answers 404 to everything.
func refusing(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

const wrkReport = `Running 2s test @ http://127.0.0.1:33333
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.20ms    1.31ms  27.79ms   89.45%
    Req/Sec    15.09k   662.37    15.84k    90.00%
  Latency Distribution
     50%  980.00us
     75%    2.34ms
     90%    3.21ms
     99%    1.05s 
  30052 requests in 2.00s, 11.55MB read
Requests/sec:  15011.98
Transfer/sec:      5.77MB
`

func TestParseLoad(t *testing.T) {
	want := load{requests: 30052, rate: 15011.98, p50: 980 * time.Microsecond, p99: 1050 * time.Millisecond}
	report := strings.ReplaceAll(wrkReport, "1.05s \n", "1.05s\n")
	if got, err := parseLoad(report); err != nil || got != want {
		t.Errorf("parseLoad = %+v, %v; want %+v", got, err, want)
	}
	for problem, report := range map[string]string{
		"Socket errors":  report + "  Socket errors: connect 0, read 3, write 0, timeout 1\n",
		"Non-2xx":        report + "  Non-2xx or 3xx responses: 7\n",
		"made no":        strings.Replace(report, "30052 requests", "0 requests", 1),
		"cannot read":    strings.Replace(report, "Requests/sec", "", 1),
		"cannot read ":   strings.Replace(report, "     99%", "     98%", 1),
		"cannot read w":  "",
		"wrk saw errors": "  Non-2xx or 3xx responses: 7\n" + report,
	} {
		_, err := parseLoad(report)
		wantError(t, problem, err, problem)
	}
}

const pgbenchReport = `pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: script.sql
scaling factor: 1
query mode: prepared
number of clients: 16
number of threads: 2
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 124123
number of failed transactions: 0 (0.000%)
latency average = 0.257 ms
initial connection time = 12.111 ms
tps = 62427.645650 (without initial connection time)
`

func TestParseTPS(t *testing.T) {
	if got, err := parseTPS(pgbenchReport); err != nil || got != 62427.64565 {
		t.Errorf("parseTPS = %v, %v", got, err)
	}
	older := strings.Replace(pgbenchReport, "number of failed transactions: 0 (0.000%)\n", "", 1)
	if _, err := parseTPS(older); err != nil {
		t.Error(err)
	}
	_, err := parseTPS(strings.Replace(pgbenchReport, "transactions: 0", "transactions: 12", 1))
	wantError(t, "failed", err, "12 transactions failed")
	_, err = parseTPS("pgbench: error")
	wantError(t, "nothing", err, "no rate")
}

func TestParseProc(t *testing.T) {
	const stat = "4242 (a) (b 1 2) S 1 4242 4242 0 -1 4194560 9 0 0 0 150 27 3 4 20 0 12 0 567 1 2 3\n"
	if got, err := parseCPU(stat); err != nil || got != 1770*time.Millisecond {
		t.Errorf("parseCPU = %v, %v", got, err)
	}
	for _, wrong := range []string{"", "1 (x) S 1", strings.Replace(stat, "150", "x", 1)} {
		if _, err := parseCPU(wrong); err == nil {
			t.Errorf("parseCPU(%q) finds something", wrong)
		}
	}
	if got, err := parseMemory("Name:\tx\nVmHWM:\t   9000 kB\nVmRSS:\t   45678 kB\nThreads:\t9\n", "VmRSS:"); err != nil || got != 45678*1024 {
		t.Errorf("parseMemory = %v, %v", got, err)
	}
	for _, wrong := range []string{"Name:\tx\nState:\tZ (zombie)\n", "VmRSS:\tmuch kB\n"} {
		if _, err := parseMemory(wrong, "VmRSS:"); err == nil {
			t.Errorf("parseMemory(%q) finds something", wrong)
		}
	}
}

func TestParseMetric(t *testing.T) {
	const text = "# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_totals 1\ngo_memstats_mallocs_total 1.2345e+06\n"
	if got, err := parseMetric(text, "go_memstats_mallocs_total"); err != nil || got != 1234500 {
		t.Errorf("parseMetric = %v, %v", got, err)
	}
	if _, err := parseMetric(text, "go_memstats_mallocs"); err == nil {
		t.Error("half a name finds a metric")
	}
}

func TestMachine(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: Some CPU @ 3GHz\nmodel name\t: Other\n"); got != "Some CPU @ 3GHz" {
		t.Errorf("CPU %q", got)
	}
	if cpuModel("processor : 0\n") == "" {
		t.Error("a CPU without a name has none")
	}
	if got := parseLoadAverage("2.68 4.30 4.80 1/234 5678\n"); got != 2.68 {
		t.Errorf("load average %v", got)
	}
	busy, idle := machine{load: 1.01}.String(), machine{load: 1}.String()
	if !strings.Contains(busy, "was busy") || strings.Contains(idle, "was busy") {
		t.Errorf("busy: %s\nidle: %s", busy, idle)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-rounds", "1", "-seconds", "2", "-strict"}, t.Output())
	if err != nil || o.rounds != 1 || o.seconds != 2 || !o.strict || o.stream || len(o.scenarios) != 11 {
		t.Errorf("options %+v, %v", o, err)
	}
	for _, wrong := range [][]string{{"-rounds", "0"}, {"-seconds", "0"}, {"more"}, {"-x"}} {
		if _, err := parseOptions(wrong, t.Output()); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}
