package scenario_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// Any scenario without mistakes is the same after it was written and read.
func TestWriteYAMLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		var b strings.Builder
		if err := s.WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		got, err := scenario.Parse("s.yaml", []byte(b.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Fatalf("%s\n%s", diff, b.String())
		}
	})
}

func TestWriteYAMLReads(t *testing.T) {
	s, err := scenario.Load("testdata/parse/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := s.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/written.yaml", b.String())
}

// drawText draws what YAML might read as something else, too. Control characters are allowed unless it is for a header.
func drawText(t *rapid.T, label string, control bool) string {
	words := []string{"true", "null", "~", "5", "1e3", "a: b", "a #b", "- a", "'", `"`, "\\", "${v0}", "$${", "{", "]", ",", " ", "é", "\u2028", "\ufeff", "😀", "%", "&x", "*x", "!", "|", ">", "@", "`", "yes", ".", "a:"}
	if control {
		words = append(words, "\n", "\t", "\r", "\x7f", "\x01", "\u0085", "  \n ")
	}
	parts := rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, label)
	text := strings.Join(parts, "")
	if _, err := scenario.OfURL("http://x/", scenario.Options{Headers: []string{"X: " + text}, Variables: []string{"v0: {range: [1, 2]}"}}); err != nil && !control {
		return "plain" // such as one with ${ and no }
	}
	return text
}

func drawValues(t *rapid.T) scenario.Values {
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return scenario.Zipf{N: rapid.Int64Range(1, 1<<53).Draw(t, "n"), S: rapid.SampledFrom([]float64{0, 0.1, 0.99, 1e-9, 1, 100}).Draw(t, "s")}
	case 1:
		return scenario.Sequence{From: rapid.Int64().Draw(t, "from")}
	case 2:
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return drawText(t, "item", true) }), 1, 4).Draw(t, "items")
		list := scenario.List{Values: append(values, "not a number")}
		if rapid.Bool().Draw(t, "weighted") {
			list.Weights = rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), len(list.Values), len(list.Values)).Draw(t, "weights")
		}
		return list
	case 3:
		return scenario.List{Values: []string{"1", "-2.50", "1200"}, Numbers: true}
	case 4:
		f := scenario.File{Path: "a b.csv", Column: rapid.SampledFrom([]string{"", "2", "id", "on"}).Draw(t, "column"), Numbers: rapid.Bool().Draw(t, "numbers")}
		if f.Column == "id" {
			f.Weights = "n: o"
		} else {
			f.InOrder = rapid.Bool().Draw(t, "order")
		}
		return f
	case 5:
		return scenario.Env{Name: "API_TOKEN"}
	}
	from := rapid.Int64().Draw(t, "from")
	return scenario.Range{From: from, To: rapid.Int64Min(from).Draw(t, "to")}
}

func drawScenario(t *rapid.T) *scenario.Scenario {
	s := &scenario.Scenario{
		Target: rapid.SampledFrom([]string{"http://127.0.0.1:3000", "https://[::1]/a%20b/~c"}).Draw(t, "target"),
		Seed:   rapid.Uint64().Draw(t, "seed"), MaxConnections: rapid.IntRange(0, 5).Draw(t, "most"),
		Arrivals: rapid.SampledFrom([]loadtest.Arrivals{loadtest.Poisson, loadtest.Even}).Draw(t, "arrivals"),
		Protocol: rapid.SampledFrom([]loadtest.Protocol{loadtest.HTTP1, loadtest.HTTP2}).Draw(t, "protocol"),
		Timeout:  time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "timeout")),
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "variables") {
		s.Variables = append(s.Variables, scenario.Variable{Name: fmt.Sprintf("v%d", i), From: drawValues(t)})
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "headers") {
		s.Headers = append(s.Headers, scenario.Header{Name: fmt.Sprintf("X-%d", i), Value: drawText(t, "value", false)})
	}
	for range rapid.IntRange(1, 3).Draw(t, "phases") {
		s.Phases = append(s.Phases, drawPhase(t))
	}
	for range rapid.IntRange(1, 3).Draw(t, "requests") {
		s.Requests = append(s.Requests, drawRequest(t))
	}
	return s
}

func drawPhase(t *rapid.T) scenario.Phase {
	p := scenario.Phase{Phase: loadtest.Phase{Duration: time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "duration")), WarmUp: rapid.Bool().Draw(t, "warm-up")}}
	if rapid.Bool().Draw(t, "named") {
		p.Name = drawText(t, "name", true)
	}
	switch rapid.IntRange(0, 2).Draw(t, "sort") {
	case 0:
		p.Connections = 7
	case 1:
		p.From = rapid.Float64Range(0.001, 1e6).Draw(t, "rate")
		p.To = p.From
	default:
		p.From, p.To, p.Steps = 0, rapid.Float64Range(0.001, 1e6).Draw(t, "to"), rapid.SampledFrom([]int{0, 2, 5}).Draw(t, "steps")
	}
	return p
}

func drawRequest(t *rapid.T) scenario.Request {
	r := scenario.Request{
		Weight: rapid.Uint64Range(0, 100).Draw(t, "weight"),
		Path:   rapid.SampledFrom([]string{"/", "/a?b=${v0}&c=*,d(e)", "/é b?x={y}:z", "/a: b", "/a  b", "/$${x}"}).Draw(t, "path"),
		Expect: scenario.Expect{JSON: rapid.Bool().Draw(t, "json")},
	}
	if rapid.Bool().Draw(t, "full") {
		r.Name, r.Method, r.Group = drawText(t, "name", true), "POST", "gold"
		r.Headers = []scenario.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "X", Value: ""}}
		r.Body = drawText(t, "body", false) // as a header cannot have control characters
		r.Expect.Contains = drawText(t, "contains", true)
		r.Expect.Status = []scenario.StatusRange{{From: 200, To: 299}, {From: 404, To: 404}}
	} else if rapid.Bool().Draw(t, "file") {
		r.BodyFile = drawText(t, "file", true)
	}
	return r
}
