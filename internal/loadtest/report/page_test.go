package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// pages are the reports that are looked at in a browser.
func pages() map[string]report.Report {
	whole := strained()
	whole.Knee = knee()
	one := plain()
	one.intervals = 1
	long := eventful()
	long.duration, long.intervals, long.rate, long.faults = 1190*time.Second, 600, 20, nil
	ramp := plain().repeated(1)
	ramp.Runs[0].Series[3].Latency.Reset()
	closed := plain()
	closed.closed = true
	return map[string]report.Report{
		"whole": whole, "one": one.repeated(1), "twenty": ramp, "long": long.repeated(1), "runs": plain().repeated(5), "knee": searched(),
		"closed": closed.repeated(1), "nothing": simulation{seed: 4, duration: time.Second, intervals: 1}.repeated(1),
		"hostile": hostile(),
	}
}

// hostile has names that try to be more than names.
func hostile() report.Report {
	evil := `</title></script><script>document.title="evil"</script><img src=x onerror="document.title='evil'">` + "{{.Tool}}\u202e\x00"
	s := eventful()
	s.shapes = []loadtest.Shape{{Name: evil, Group: evil}, {Name: evil + "2", Group: "b"}}
	s.faults[0].Name = evil
	r := s.repeated(1)
	r.Scenario.Name, r.Tool, r.Machine.OS = evil, evil, evil
	r.Runs[0].Target, r.Runs[0].Protocol = evil, evil
	r.Runs[0].Total.Errors[evil] = 1
	r.Runs[0].Generator.Bottleneck = evil
	r.Runs[0].Phases[0].Phase.Name = evil
	r.Knee = knee()
	r.Knee.Points[3].Why = evil
	return r
}

// save writes a page to a file and gives its path.
func save(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Names of any kind are text and nothing else, in order, and no plot lacks its points' texts for browsers without scripts.
func TestPageIsWhole(t *testing.T) {
	for name, r := range pages() {
		content, err := os.ReadFile(save(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if n, want := bytes.Count(content, []byte("<script")), 1; n != want {
			t.Errorf("%s: %d scripts, want %d", name, n, want)
		}
		for _, bad := range []string{"\u202e", "\x00", "NaN", "Inf", "ZgotmplZ", "<no value>", "http://www"} {
			if bytes.Contains(content, []byte(bad)) {
				t.Errorf("%s: has %q", name, bad)
			}
		}
		if hits, texts := bytes.Count(content, []byte(`<rect class="hit"`)), bytes.Count(content, []byte(`height="300"><title>`)); hits != texts || hits == 0 {
			t.Errorf("%s: %d points, %d texts", name, hits, texts)
		}
	}
}
