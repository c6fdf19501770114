package promises_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// finding is what the test of a promise has counted.
type finding struct {
	Promise, Counted string
	Violations       int
}

// record notes what a promise's test has counted, and fails the test where something was wrong. With the long forms, the
// report is written anew each time, so that it is there even if they are ended.
func record(t testing.TB, promise, counted string, violations int) {
	t.Helper()
	t.Logf("%s: %s; violations: %d", promise, counted, violations)
	if violations > 0 {
		t.Errorf("%s: %d violations", promise, violations)
	}
	if name := os.Getenv("PROMISES_FINDINGS"); name != "" {
		report(t, name, finding{Promise: promise, Counted: counted, Violations: violations})
	}
}

// report adds a finding to the file of findings, and makes a page of them.
func report(t testing.TB, name string, f finding) {
	t.Helper()
	var all []finding
	content, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if len(content) > 0 && json.Unmarshal(content, &all) != nil {
		t.Fatalf("%s: no findings", name)
	}
	all = append(all, f)
	slices.SortStableFunc(all, func(a, b finding) int { return strings.Compare(order(a.Promise), order(b.Promise)) })
	if content, err = json.MarshalIndent(all, "", "\t"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../../docs/promises.md", []byte(page(t, all)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// order has B10 after B9, and those without a number last.
func order(promise string) string {
	if digits := strings.TrimLeft(promise, "AB"); digits != promise && digits != "" && digits[0] <= '9' {
		return promise[:1] + fmt.Sprintf("%12s", digits)
	}
	return "C" + promise
}

func page(t testing.TB, all []finding) string {
	t.Helper()
	commit, err := exec.CommandContext(t.Context(), "git", "describe", "--tags", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What is promised, and what was counted

Promises that begin with A are about staying up under overload and failures, those with B and the rest about the cache.

`+"`make promises`"+` wrote this page on %s, of commit %s, on a machine with %d cores, with
PostgreSQL %s. Short forms of the same tests belong to `+"`make test`"+`. They are in `+"`internal/promises`"+`.

| promise | what was done and counted | violations |
|---|---|--:|
`, time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(string(commit)), runtime.NumCPU(),
		pgtest.Value(t, pgtest.ServerDSN(t), "select split_part(current_setting('server_version'), ' ', 1)"))
	last := ""
	for _, f := range all {
		promise := f.Promise
		if text := promised()[promise]; text != "" && promise != last {
			promise += ": " + text
		}
		last = f.Promise
		fmt.Fprintf(&b, "| %s | %s | %d |\n", promise, strings.ReplaceAll(f.Counted, "|", `\|`), f.Violations)
	}
	return b.String()
}

func promised() map[string]string {
	return map[string]string{
		"A1":         "a replica that is dead or behind a black hole costs no read",
		"A2":         "when all replicas are gone, the primary gets no more to do at a time than is allowed, and critical requests are answered",
		"A3":         "at 3 × what the database can do, it does at least 90 % of its most; the critical tier takes less than twice as long; the others are refused in order, within 5 ms",
		"A4":         "what is believed to be the limit does not drift: within 30 % after ten minutes at 1.2 ×, and under constant timeouts",
		"A5":         "after a stall of the database of 10 s, all is normal within 2 s; not more than 1.1 statements a request",
		"A7":         "two servers change places: no write fails, nobody hears of a read-only transaction, nothing old is read",
		"A8":         "transactions that are done again keep invariants; a connection that is cut at COMMIT never writes twice",
		"B1":         "no hit misses a commit that was acknowledged longer than a second before",
		"B2":         "when writers pause, all that is kept is what the database answers",
		"B3":         "who brings the token of a write never sees what was there before, whichever instance is asked",
		"B4":         "everybody gets what he would get without the cache; a policy counts after a second, a membership after three",
		"B5":         "when changes cannot be heard of, the cache is not asked, and gets well by itself",
		"B6":         "a program that was killed leaves nothing that keeps the database's log",
		"B7":         "unrelated writes drop less than 1 % of the answers; related ones all",
		"B9":         "these checks find out what is wrong, if the stamp of a fill is",
		"B10":        "one query for any number who ask for the same; memory within the budget and a quarter",
		"A6":         "the client leaves, and its SQL is cancelled",
		"A9":         "no more is admitted in any stretch of time than quota and burst, over instances, too",
		"A10":        "slow clients and answers of 200 MB: memory is bounded, others are unaffected",
		"Drain":      "a restart under load fails no request",
		"Delay":      "from a commit by others to the first answer that shows it (measured, not promised)",
		"Own writes": "who has seen a write acknowledged never sees what was there before",
	}
}
