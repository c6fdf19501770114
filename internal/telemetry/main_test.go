package telemetry_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maxAllocs asserts an allocation budget. The race detector's own allocations, and the
// items it takes out of pools, would count too.
func maxAllocs(t *testing.T, budget float64, f func()) {
	t.Helper()
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	f()
	if got := testing.AllocsPerRun(1000, f); got > budget {
		t.Errorf("%v allocations, the budget is %v", got, budget)
	}
}
