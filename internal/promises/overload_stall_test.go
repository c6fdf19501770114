package promises_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestStall has all of PostgreSQL's processes stand still for a while, with their connections open, as they do when the disk or the
// host of a virtual machine does. When they go on, all is soon as before: nobody asks again for what was asked before.
func TestStall(t *testing.T) {
	cluster := pgtest.Own(t, nil)
	s := crowded(t, 6)
	calm, stall, after := 2*time.Second, time.Duration(scale(3, 10))*time.Second, time.Duration(scale(5, 30))*time.Second
	l, tally := s.rush(30*time.Second, nil,
		loadtest.Phase{Name: "calm", Duration: calm, From: 0.5},
		loadtest.Phase{Name: "stall", Duration: stall, From: 0.5},
		loadtest.Phase{Name: "after", Duration: after, From: 0.5})
	done := make(chan *loadtest.Result, 1)
	started := time.Now()
	go func() { done <- s.loaded(l) }()
	pause(t, calm)
	resume := standStill(t, cluster)
	pause(t, stall)
	resume()
	resumed := time.Since(started)
	res := <-done
	sent, ran, wrong := int(res.Total.Sent), logged(t, cluster.LogFile(), `"crowd_`), 0 //nolint:gosec // of a minute
	if n := unanswered(res); n > 0 {
		wrong += n
		t.Errorf("%d requests got no answer: %v", n, res.Total.Errors)
	}
	s.recovers()
	if 10*ran > 11*sent {
		wrong++
		t.Errorf("%d requests became %d statements", sent, ran)
	}
	normal, ok := tally.Recovery(2, 2*tiers.Quantile(tally.All(0).Right, 0.99))
	normal += calm + stall - resumed
	if full() && (!ok || normal > 2*time.Second) {
		wrong++
		t.Errorf("normal %v after the stall (%v)", normal, ok)
	}
	record(t, "A5", fmt.Sprintf("PostgreSQL stood still for %v: %d requests, of them %d answered right and %d without an answer; %d statements were run; 99 %% were right from %v after it on",
		stall, sent, res.Total.Good, unanswered(res), ran, max(0, normal).Round(time.Millisecond)), wrong)
}

// recovers waits until all paths are answered again.
func (s *site) recovers() {
	s.t.Helper()
	for _, r := range ranking() {
		eventually(s.t, "all is well again", func() bool {
			a, err := s.try("/crowd_" + r.tier)
			return err == nil && a.StatusCode == 200
		})
	}
}

// standStill stops a cluster's processes until the function that it returns is called.
func standStill(t *testing.T, c *devdb.Cluster) (resume func()) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(c.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(file), "\n")
	signal := func(pid string, sig syscall.Signal) {
		t.Helper()
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(n, sig) // it may have ended
	}
	signal(first, syscall.SIGSTOP) // so that it starts no more of them
	children, err := exec.CommandContext(t.Context(), "pgrep", "-P", first).Output()
	if err != nil {
		t.Fatalf("find PostgreSQL's processes: %v", err)
	}
	all := append(strings.Fields(string(children)), first)
	resume = func() {
		for _, pid := range all {
			signal(pid, syscall.SIGCONT)
		}
	}
	t.Cleanup(resume)
	for _, pid := range all {
		signal(pid, syscall.SIGSTOP)
	}
	return resume
}
