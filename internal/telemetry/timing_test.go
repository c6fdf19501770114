package telemetry_test

import (
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestTimingHeader(t *testing.T) {
	tests := []struct {
		name  string
		spent map[telemetry.Phase]time.Duration
		want  string
	}{
		{
			name: "nothing measured",
			want: "jwt;dur=0.0, parse;dur=0.0, plan;dur=0.0, transaction;dur=0.0, response;dur=0.0",
		},
		{
			name: "milliseconds with one decimal",
			spent: map[telemetry.Phase]time.Duration{
				telemetry.PhaseJWT:         14900 * time.Microsecond,
				telemetry.PhaseParse:       71130 * time.Microsecond,
				telemetry.PhasePlan:        40 * time.Microsecond,
				telemetry.PhaseTransaction: 1353 * time.Millisecond,
				telemetry.PhaseResponse:    160 * time.Microsecond,
			},
			want: "jwt;dur=14.9, parse;dur=71.1, plan;dur=0.0, transaction;dur=1353.0, response;dur=0.2",
		},
		{
			name:  "unknown phase is ignored",
			spent: map[telemetry.Phase]time.Duration{99: time.Second, -1: time.Second},
			want:  "jwt;dur=0.0, parse;dur=0.0, plan;dur=0.0, transaction;dur=0.0, response;dur=0.0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var timing telemetry.Timing
			for p, d := range tt.spent {
				timing.Add(p, d)
			}
			if got := timing.Header(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTimingMark(t *testing.T) {
	var timing telemetry.Timing
	timing.Mark(telemetry.PhaseJWT)
	if d := timing.Spent(telemetry.PhaseJWT); d != 0 {
		t.Errorf("Mark without Start counted %s", d)
	}
	timing.Start()
	spin(t)
	timing.Mark(telemetry.PhasePlan)
	first := timing.Spent(telemetry.PhasePlan)
	if first <= 0 {
		t.Fatal("Mark counted nothing")
	}
	spin(t)
	timing.Mark(telemetry.PhasePlan)
	if timing.Spent(telemetry.PhasePlan) <= first {
		t.Error("a second Mark of a phase did not add to it")
	}
	if d := timing.Spent(telemetry.PhaseResponse); d != 0 {
		t.Errorf("a phase that never was took %s", d)
	}
}

// spin returns once the monotonic clock has moved.
func spin(t *testing.T) {
	t.Helper()
	for start := time.Now(); time.Since(start) <= 0; {
	}
}

func TestTimingAllocatesOnce(t *testing.T) {
	var timing telemetry.Timing
	timing.Start()
	maxAllocs(t, 1, func() {
		timing.Mark(telemetry.PhasePlan)
		_ = timing.Header()
	})
}

func BenchmarkTimingHeader(b *testing.B) {
	b.ReportAllocs()
	var timing telemetry.Timing
	timing.Start()
	for b.Loop() {
		timing.Mark(telemetry.PhaseTransaction)
		_ = timing.Header()
	}
}
