package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// overlay is of two runs that go apart in the middle.
func overlay() report.Overlay {
	calm, troubled := eventful(), eventful()
	calm.faults, troubled.errors, troubled.slower = nil, 0.3, 1
	return report.Overlay{{Name: "with", Report: calm.repeated(1)}, {Name: "without", Report: troubled.repeated(1)}}
}

func drawnOverlay(t *testing.T, o report.Overlay) (page, svg []byte) {
	t.Helper()
	var p, s bytes.Buffer
	if err := errors.Join(o.HTML(&p), o.SVG(&s)); err != nil {
		t.Fatal(err)
	}
	return p.Bytes(), s.Bytes()
}

func TestOverlayText(t *testing.T) {
	var b bytes.Buffer
	if err := overlay().Text(&b, report.Terminal{Width: 120}); err != nil {
		t.Fatal(err)
	}
	golden(t, "overlay.txt", b.String())
}

func TestOverlaySVG(t *testing.T) {
	short := plain()
	short.duration, short.intervals, short.rate = 5*time.Second, 5, 40
	slow := short
	slow.slower = 60
	_, svg := drawnOverlay(t, report.Overlay{{Name: "quick", Report: short.repeated(1)}, {Name: "slow", Report: slow.repeated(1)}})
	golden(t, "overlay.svg", string(svg))
}

// What SVG writes is XML, whatever the names are, and has neither scripts nor references.
func TestOverlaySVGIsInert(t *testing.T) {
	evil := hostile()
	_, svg := drawnOverlay(t, report.Overlay{{Name: evil.Scenario.Name, Report: evil}, {Name: "long", Report: pages()["long"]}})
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && !strings.Contains(" svg title desc style rect g text path ", " "+e.Name.Local+" ") {
			t.Errorf("there is a <%s>", e.Name.Local)
		}
	}
	for _, bad := range []string{"\u202e", "\x00", "NaN", "Inf", "ZgotmplZ", "href", "url("} {
		if bytes.Contains(svg, []byte(bad)) {
			t.Errorf("it has %q", bad)
		}
	}
}

// All that is drawn is there in a browser, on the page and in the picture: two plots, with a curve of each report.
func TestOverlayInABrowser(t *testing.T) {
	b := browser(t)
	page, svg := drawnOverlay(t, overlay())
	for name, content := range map[string][]byte{"overlay.html": page, "overlay.svg": svg} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		p := open(t, b, path, chromedp.EmulateViewport(1200, 900))
		for _, class := range []string{"first", "second"} {
			extents := eval[[]float64](p, `[...document.querySelectorAll("path.`+class+`")].map(path => path.getBBox()).filter(box => box.width > 900).map(box => box.height)`)
			if len(extents) != 2 || extents[0] == 0 || extents[1] == 0 {
				t.Errorf("%s: the curves %s have the heights %v, want two", name, class, extents)
			}
		}
		p.quiet()
	}
}

// A curve has no more steps than can be seen, and its values are those of all intervals that a step stands for.
func TestOverlayOfManyIntervals(t *testing.T) {
	long := plain()
	long.duration, long.intervals = 600*time.Second, 600
	page, _ := drawnOverlay(t, report.Overlay{{Name: "long", Report: long.repeated(1)}})
	if n := bytes.Count(page, []byte(`<rect class="hit"`)); n != 2*120 {
		t.Errorf("%d steps in two plots, want 120 in each", n)
	}
	if !bytes.Contains(page, []byte("5 s – 10 s\nlong 200/s")) {
		t.Error("the rate of five intervals is not the mean of theirs")
	}
}

func TestWhatCannotBeOverlaid(t *testing.T) {
	one := report.Named{Name: "a", Report: plain().repeated(1)}
	for want, o := range map[string]report.Overlay{
		"there is none":        {},
		"there are 5":          {one, one, one, one, one},
		"knee.json has no run": {one, {Name: "knee.json", Report: searched()}},
	} {
		if err := o.SVG(io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A group or a phase that only one of the reports has is no mistake.
func TestOverlayOfDifferentLoads(t *testing.T) {
	other := eventful()
	other.shapes, other.warmUp = []loadtest.Shape{{Name: "insert", Group: "initech"}, {Name: "delete", Group: "umbrella"}}, 0
	var b bytes.Buffer
	if err := (report.Overlay{{Name: "a", Report: eventful().repeated(1)}, {Name: "b", Report: other.repeated(1)}}).Text(&b, report.Terminal{}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Count(text, "\na  ") < 2 || !strings.Contains(text, "Group initech\na ") {
		t.Errorf("got\n%s", text)
	}
}
