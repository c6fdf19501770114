package promises_test

import "testing"

// record notes what a promise's test has counted, and fails the test where something was wrong.
func record(t testing.TB, promise, counted string, violations int) {
	t.Helper()
	t.Logf("%s: %s; violations: %d", promise, counted, violations)
	if violations > 0 {
		t.Errorf("%s: %d violations", promise, violations)
	}
}
