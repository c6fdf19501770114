package report

import (
	"runtime"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Report is what is known of a load test. It has Runs, a Knee, or both.
type Report struct {
	// Tool is the program that made it, with its version, such as "slipstream 1.4.0".
	Tool string
	// When it was made.
	When time.Time
	// Machine is the generator's.
	Machine  Machine
	Scenario Scenario
	// Runs are repetitions of one load, in their order.
	Runs []*loadtest.Result
	// Knee is what a search for the highest rate has found; nil when there was none.
	Knee *Knee
}

// Machine is what the generator ran on. It has no names of hosts or users, so that a report can be published.
type Machine struct {
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Go    string `json:"go"`
}

// ThisMachine is the one that the process runs on.
func ThisMachine() Machine {
	return Machine{Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version()}
}

// Scenario says which requests were sent.
type Scenario struct {
	// Name is for people, such as the name of the file.
	Name string `json:"name,omitempty"`
	// Digest is the same for what sends the same requests, whatever the target. Empty is not compared.
	Digest string `json:"digest,omitempty"`
}

// Knee is what a search for the highest rate that keeps an objective has found.
type Knee struct {
	Objective Objective
	// Rate is the highest that kept the objective, in requests a second; 0 if none did.
	Rate float64
	// Points are the rates that were tried, in the order in which they were.
	Points []Point
	// Bound says why the knee may be above Rate; empty where a rate was found that did not keep the objective.
	Bound string
}

// Objective is what answers are to keep.
type Objective struct {
	// Quantile of the latency, from 0 to 1, that may be Limit at most.
	Quantile float64
	Limit    time.Duration
	// Errors is the share of answers, from 0 to 1, that may be wrong.
	Errors float64
}

// Point is what came of one rate.
type Point struct {
	// Asked and Achieved are the rates at which requests were due and were sent, in requests a second.
	Asked, Achieved float64
	// Latency is at the objective's quantile.
	Latency                  time.Duration
	P50, P90, P99, P999, Max time.Duration
	// Errors is the share of wrong answers and missing ones, from 0 to 1.
	Errors float64
	// OK says that the objective was kept; Why what broke it.
	OK  bool
	Why string
}
