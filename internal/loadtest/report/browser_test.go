package report_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// browser starts a Chromium that finds no host.
func browser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.WSURLReadTimeout(3*time.Minute),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"), chromedp.Flag("disable-gpu", true))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it has none for root, and what it opens is ours
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits until it is gone
			t.Error(err)
		}
	})
	return ctx
}

// chromium finds the browser, which scripts/deps.sh installs.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
		"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium: run scripts/deps.sh chromium")
	return ""
}

// tab is a page that is open.
type tab struct {
	t   *testing.T
	ctx context.Context
	mu  sync.Mutex
	// complaints are errors in the console, exceptions, and requests for anything but the file.
	complaints []string
}

func open(t *testing.T, browser context.Context, path string, before ...step) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	url := "file://" + path
	if err := chromedp.Listen(ctx, func(event any) { p.hear(event, url) }); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	p.do(before...)
	p.do(chromedp.Navigate(url))
	eval[bool](p, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
	return p
}

type step = chromedp.Action[chromedp.Void]

// hear notes what should not happen.
func (p *tab) hear(event any, url string) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Request.URL != url && !strings.HasPrefix(e.Request.URL, "data:") {
			p.complain("request for " + e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		p.complain("exception: " + e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		p.complain(fmt.Sprintf("console: %+v", e.Args))
	case *log.EventEntryAdded:
		p.complain(fmt.Sprintf("log: %s %s", e.Entry.Level, e.Entry.Text))
	}
}

func (p *tab) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, text)
}

func (p *tab) do(steps ...step) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

func eval[T any](p *tab, script string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](script))
}

// quiet fails the test if there was something to complain about.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.complaints {
		p.t.Error(c)
	}
}

// drawnPlot is a plot as the browser sees it.
type drawnPlot struct {
	ID            string
	Width, Height float64
	Hits          int
	// Curves have how many points, by class.
	Curves map[string]int
	// Extents are of those curves, in the plot's units.
	Extents map[string]float64
}

const lookAtPlots = `[...document.querySelectorAll("figure.plot")].map(figure => {
	const svg = figure.querySelector("svg[role=img]"), box = svg.getBoundingClientRect(), curves = {}, extents = {};
	for (const path of svg.querySelectorAll("path:not(.grid)")) {
		curves[path.getAttribute("class")] = (path.getAttribute("d").match(/[ML]/g) || []).length;
		const b = path.getBBox();
		extents[path.getAttribute("class")] = b.width + b.height;
	}
	return {ID: figure.id, Width: box.width, Height: box.height, Hits: svg.querySelectorAll(".hit").length, Curves: curves, Extents: extents};
})`

func TestPageInABrowser(t *testing.T) {
	b := browser(t)
	for name, r := range pages() {
		t.Run(name, func(t *testing.T) {
			path := save(t, r)
			for _, width := range []int64{400, 1400} {
				p := open(t, b, path, chromedp.EmulateViewport(width, 900))
				overflow := eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
				if overflow > 0 {
					t.Errorf("at %d px, the page is %d px too wide", width, overflow)
				}
				if get(p, chromedp.Title()) == "evil" {
					t.Error("a name became a script")
				}
				checkPlots(t, r, eval[[]drawnPlot](p, lookAtPlots))
				p.quiet()
			}
		})
	}
}

// checkPlots wants all plots that there should be, visible and with all their points.
func checkPlots(t *testing.T, r report.Report, plots []drawnPlot) {
	t.Helper()
	seen := map[string]drawnPlot{}
	for _, p := range plots {
		seen[p.ID] = p
		if p.Width < 200 || p.Height < 150 {
			t.Errorf("%s is %v by %v pixels", p.ID, p.Width, p.Height)
		}
	}
	want := 0
	for i, run := range r.Runs {
		want += 2
		answered := 0
		for _, interval := range run.Series {
			if interval.Latency.TotalCount() > 0 {
				answered++
			}
		}
		latency, throughput := seen[fmt.Sprintf("latency-%d", i+1)], seen[fmt.Sprintf("throughput-%d", i+1)]
		if n := len(run.Series); latency.Hits != n || throughput.Hits != n {
			t.Errorf("run %d: %d intervals, %d and %d points", i+1, n, latency.Hits, throughput.Hits)
		}
		for _, class := range []string{"p50", "p99", "max"} {
			if latency.Curves[class] != 2*answered || answered > 0 && latency.Extents[class] == 0 {
				t.Errorf("run %d: %d intervals with answers, %s has %d ends, extent %v", i+1, answered, class, latency.Curves[class], latency.Extents[class])
			}
		}
		for _, class := range []string{"good", "sent", "errors"} {
			if throughput.Curves[class] != 2*len(run.Series) {
				t.Errorf("run %d: %d intervals, %s has %d ends", i+1, len(run.Series), class, throughput.Curves[class])
			}
		}
	}
	if len(r.Runs) > 0 {
		want++
		if p := seen["percentiles"]; r.Runs[0].Total.Good > 0 && (p.Curves["p50"] < 10 || p.Extents["p50"] == 0) {
			t.Errorf("percentiles: %+v", p)
		}
	}
	if r.Knee != nil {
		want++
		if p := seen["knee"]; p.Hits != len(r.Knee.Points) || p.Curves["kept"]+p.Curves["broken"] != len(r.Knee.Points) || p.Curves["limit"] != 2 {
			t.Errorf("knee: %+v", p)
		}
	}
	if len(plots) != want {
		t.Errorf("%d plots, want %d", len(plots), want)
	}
}

func TestPageShowsValues(t *testing.T) {
	r := strained()
	p := open(t, browser(t), save(t, r), chromedp.EmulateViewport(1000, 800))
	p.do(chromedp.ScrollIntoView(chromedp.CSS("#latency-1 svg[role=img]")))
	at := eval[[]float64](p, `(() => {
		const box = document.querySelectorAll("#latency-1 .hit")[30].getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	})()`)
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]), chromedp.WaitVisible(chromedp.CSS("#latency-1 .tip")))
	tip := get(p, chromedp.Text(chromedp.CSS("#latency-1 .tip")))
	found := regexp.MustCompile(`^30 s – 31 s\s+p50 \S+ ms\s+p99 (\S+) ms`).FindStringSubmatch(tip)
	if found == nil {
		t.Fatalf("at the pointer: %q", tip)
	}
	want := float64(r.Runs[0].Series[30].Latency.ValueAtQuantile(99)) / 1000
	if got, err := strconv.ParseFloat(found[1], 64); err != nil || math.Abs(got/want-1) > 0.005 {
		t.Errorf("p99 at the pointer: %q, want %v", found[1], want)
	}
	p.do(chromedp.Focus(chromedp.CSS("#throughput-1 svg[role=img]")), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight),
		chromedp.WaitVisible(chromedp.CSS("#throughput-1 .tip")))
	tip = get(p, chromedp.Text(chromedp.CSS("#throughput-1 .tip")))
	if !strings.HasPrefix(tip, "1 s – 2 s") || !strings.Contains(tip, "asked 400/s") {
		t.Errorf("two steps to the right: %q", tip)
	}
	p.quiet()
}

// Texts have the contrast that WCAG 2.2 asks for (1.4.3: 4.5), and lines theirs (1.4.11: 3), in the light and in the dark.
func TestPageHasContrast(t *testing.T) {
	b := browser(t)
	for _, scheme := range []string{"light", "dark"} {
		p := open(t, b, save(t, plain().repeated(1)))
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		colors := eval[map[string]string](p, `Object.fromEntries("page card text muted blue orange green grey fault warn".split(" ").map(name =>
			[name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()]))`)
		for _, c := range []struct {
			front, back string
			least       float64
		}{{"text", "page", 4.5}, {"text", "card", 4.5}, {"text", "warn", 4.5}, {"muted", "page", 4.5}, {"muted", "card", 4.5}, {"page", "fault", 4.5},
			{"blue", "page", 3}, {"orange", "page", 3}, {"green", "page", 3}, {"grey", "page", 3}} {
			if got := contrast(t, colors[c.front], colors[c.back]); got < c.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than %v", scheme, c.front, c.back, got, c.least)
			}
		}
	}
}

// contrast of two colours such as "#0069a8", as WCAG defines it.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	if len(color) != 7 {
		t.Fatalf("colour %q", color)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
