package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCacheReportTellsWhatIsMissed(t *testing.T) {
	turnOf := func(cpu time.Duration) []turn { return []turn{{load{rate: 1000}, cpu}} }
	measured := func(ours time.Duration) []hits {
		return []hits{{
			scenario: scenario{name: "cached hit", path: "/items"}, sides: []string{"bare net/http", "Slipstream"},
			turns: map[string][]turn{"bare net/http": turnOf(20 * time.Microsecond), "Slipstream": turnOf(ours)},
		}}
	}
	good, fresh := mix{hits: 0.96}, staleness{p99: 20 * time.Millisecond}
	for name, c := range map[string]struct {
		report report
		missed string
	}{
		"all well":   {cacheReport(options{}, "wrk", measured(22*time.Microsecond), good, fresh), ""},
		"CPU":        {cacheReport(options{}, "wrk", measured(40*time.Microsecond), good, fresh), "2.00"},
		"hits":       {cacheReport(options{}, "wrk", measured(22*time.Microsecond), mix{hits: 0.9}, fresh), "90.0 %"},
		"staleness":  {cacheReport(options{}, "wrk", measured(22*time.Microsecond), good, staleness{p99: time.Second}), "1000.00 ms"},
		"in the sum": {cacheReport(options{}, "wrk", measured(31*time.Microsecond), good, fresh), "1.55"},
	} {
		missed := ""
		for line := range strings.Lines(c.report.text) {
			if strings.Contains(line, "MISSED") {
				missed += line
			}
		}
		if c.report.reached != (c.missed == "") || !strings.Contains(missed, c.missed) {
			t.Errorf("%s: reached %v, missed %q, want %q", name, c.report.reached, missed, c.missed)
		}
	}
}

// A side's CPU is that of all of its processes: here the first one only waits for the second.
func TestCPUOfChildren(t *testing.T) {
	parent := exec.CommandContext(t.Context(), "sh", "-c", "sh -c 'while :; do :; done' & wait")
	parent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-parent.Process.Pid, syscall.SIGKILL) // both
		_ = parent.Wait()
	}()
	s := &server{cmd: parent}
	for used := time.Duration(0); used < 10*tick; {
		var err error
		if used, err = s.cpu(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParseParent(t *testing.T) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	if pid, parent, ok := parseParent(string(stat)); !ok || pid != os.Getpid() || parent != os.Getppid() {
		t.Errorf("%d of %d, %v", pid, parent, ok)
	}
	if pid, parent, ok := parseParent("7 (a) b) S 3 1"); !ok || pid != 7 || parent != 3 {
		t.Errorf("%d of %d, %v", pid, parent, ok)
	}
	for _, wrong := range []string{"", "x (y) S 1", "1 (y) S"} {
		if _, _, ok := parseParent(wrong); ok {
			t.Errorf("%q was read", wrong)
		}
	}
}
