package loadtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

func TestParseSLO(t *testing.T) {
	got, err := loadtest.ParseSLO("p50=5ms, p99.9 = 1.5s,errors=0.1%")
	want := loadtest.SLO{
		{Percentile: 50, Latency: 5 * time.Millisecond}, {Percentile: 99.9, Latency: 1500 * time.Millisecond}, {Errors: 0.001},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if text := got.String(); text != "p50=5ms,p99.9=1.5s,errors=0.1%" {
		t.Error(text)
	}
	if got, err := loadtest.ParseSLO("p99=1s"); err != nil || got.String() != "p99=1s,errors=1%" {
		t.Errorf("without errors: %v, %v", got, err)
	}
	for _, text := range []string{"", "p99", "p99=", "p99=50", "p0=1s", "p101=1s", "pNaN=1s", "p99=-1s", "q=1s", "errors=x", "errors=200%", "errors=-1", "errors=NaN", "p99=1s,"} {
		if got, err := loadtest.ParseSLO(text); err == nil || !strings.Contains(err.Error(), "p99=50ms") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// FuzzParseSLO: what is written is read as the same.
func FuzzParseSLO(f *testing.F) {
	for _, text := range []string{"p99=50ms", "p50=1h2m, errors=0.1%", "errors=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		slo, err := loadtest.ParseSLO(text)
		if err != nil {
			return
		}
		again, err := loadtest.ParseSLO(slo.String())
		if err != nil || again.String() != slo.String() {
			t.Errorf("%q is read as %v, and that as %v, %v", text, slo, again, err)
		}
	})
}
