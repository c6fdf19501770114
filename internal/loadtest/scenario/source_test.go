package scenario_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// load makes a load of a scenario with one phase; text is the rest of it.
func load(t rapid.TB, text string) loadtest.Load {
	t.Helper()
	s, err := scenario.Parse("test.yaml", []byte("target: http://127.0.0.1\nphases: [{duration: 1s, rate: 1}]\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Load("testdata", environment)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// with makes a load of requests with the values of one variable x.
func with(t rapid.TB, values scenario.Values, requests ...scenario.Request) loadtest.Source {
	t.Helper()
	s := scenario.Scenario{
		Target:    "http://127.0.0.1",
		Variables: []scenario.Variable{{Name: "x", From: values}},
		Phases:    []scenario.Phase{{Phase: loadtest.Phase{Duration: 1, From: 1, To: 1}}},
		Requests:  requests,
	}
	l, err := s.Load(".", environment)
	if err != nil {
		t.Fatal(err)
	}
	return l.Source
}

// The n-th request is the same from whatever source of the scenario, in whatever order and goroutine, and whatever was in the
// memory that it is made in.
func TestRequestsDependOnSeedAndNumberAlone(t *testing.T) {
	path := "testdata/parse/shop.yaml"
	sources := make([]loadtest.Source, 2)
	for i := range sources {
		s, err := scenario.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Load(filepath.Dir(path), environment)
		if err != nil {
			t.Fatal(err)
		}
		sources[i] = l.Source
	}
	const n = 2000
	want := make([]string, n)
	for i := range want {
		var fresh loadtest.Request
		sources[0].Request(uint64(i), &fresh)
		want[i] = text(uint64(i), fresh) + strconv.Itoa(fresh.Shape)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var r loadtest.Request
			for i := n - 1 - g; i >= 0; i-- {
				sources[1].Request(uint64(i), &r)
				if got := text(uint64(i), r) + strconv.Itoa(r.Shape); got != want[i] {
					t.Errorf("request %d is %s, then %s", i, want[i], got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSeedsDiffer(t *testing.T) {
	one, two := load(t, "seed: 1\n"+manyIDs), load(t, "seed: 2\n"+manyIDs)
	same := 0
	for n := range uint64(1000) {
		var a, b loadtest.Request
		one.Source.Request(n, &a)
		two.Source.Request(n, &b)
		if string(a.Path) == string(b.Path) {
			same++
		}
	}
	if same > 5 {
		t.Errorf("%d of 1000 requests are the same with another seed", same)
	}
}

const manyIDs = "variables: {id: {range: [1, 1000000000]}}\nrequests: [{path: '/${id}'}]"

// A rendered path parses back to the value that was put in, wherever in it, and so do forms and JSON.
func TestValuesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a/b?c=d&e#f", "%41", "+ +", `"\`, "..", "${x}", "(a,\"b\")", "ü\x00\n"})).Draw(t, "value")
		source := with(t, scenario.List{Values: []string{value, value}},
			scenario.Request{
				Path:    "/before/${x}/after?first=${x}&second=in.(${x},${x})&$${x}=1",
				Headers: []scenario.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
				Body:    "a=${x}&b=2",
			},
			scenario.Request{Path: "/json", Body: `{"whole": ${x}, "part": "<${x}>", "${x}": [${x}]}`},
		)
		form, document := ofShape(source, 0), ofShape(source, 1)
		u, err := url.ParseRequestURI("http://host" + string(form.Path))
		if err != nil {
			t.Fatal(err)
		}
		if want := "/before/" + value + "/after"; u.Path != want {
			t.Errorf("path %q, want %q", u.Path, want)
		}
		want := url.Values{"first": {value}, "second": {"in.(" + value + "," + value + ")"}, "${x}": {"1"}}
		if got, err := url.ParseQuery(u.RawQuery); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("query %q, want %q: %v", got, want, err)
		}
		if got, err := url.ParseQuery(string(form.Body)); err != nil || got.Get("a") != value {
			t.Errorf("form %q, want %q: %v", got, value, err)
		}
		object := map[string]any{}
		object["whole"], object["part"] = value, "<"+value+">"
		object[value] = []any{value}
		var got map[string]any
		if err := json.Unmarshal(document.Body, &got); err != nil || !reflect.DeepEqual(got, object) {
			t.Errorf("JSON %q, want %q: %v", got, object, err)
		}
	})
}

// ofShape is the first request of a shape.
func ofShape(source loadtest.Source, shape int) loadtest.Request {
	for n := uint64(0); ; n++ {
		var r loadtest.Request
		if source.Request(n, &r); r.Shape == shape {
			return r
		}
	}
}

// Requests come in proportion to their weights.
func TestWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(1, 20), 2, 8).Draw(t, "weights")
		var requests []scenario.Request
		total := uint64(0)
		for _, w := range weights {
			requests = append(requests, scenario.Request{Path: "/", Weight: w})
			total += w
		}
		source := with(t, scenario.Sequence{}, requests...)
		const n = 20_000
		var r loadtest.Request
		counts, expected := make([]float64, len(weights)), make([]float64, len(weights))
		for i := range uint64(n) {
			source.Request(i, &r)
			counts[r.Shape]++
		}
		for i, w := range weights {
			expected[i] = n * float64(w) / float64(total)
		}
		fits(t, counts, expected)
	})
}

// fits is Pearson's chi-square test of counts. The requests are always the same, so that it either always holds or never; the
// bound is so far out that hundreds of inputs that rapid may draw do not meet it by chance (p of about 1e-9).
func fits(t rapid.TB, counts, expected []float64) {
	t.Helper()
	chi := 0.0
	for i := range counts {
		chi += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i]
	}
	k := float64(len(counts) - 1)
	// Wilson and Hilferty: the cube root of chi-square over its degrees of freedom is nearly normal.
	if bound := k * math.Pow(1-2/(9*k)+6*math.Sqrt(2/(9*k)), 3); chi > bound {
		t.Errorf("chi-square %.1f, must be below %.1f\ngot  %v\nwant %v", chi, bound, counts, expected)
	}
}

// numbers gives the values of x in many requests.
func numbers(t rapid.TB, values scenario.Values, n int) []int {
	t.Helper()
	source := with(t, values, scenario.Request{Path: "/${x}"})
	all := make([]int, n)
	var r loadtest.Request
	for i := range all {
		source.Request(uint64(i), &r)
		var err error
		if all[i], err = strconv.Atoi(strings.TrimPrefix(string(r.Path), "/")); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestZipfFollowsTheLaw(t *testing.T) {
	for _, n := range []int{1, 2, 10, 1000} {
		for _, s := range []float64{0.2, 0.5, 0.99, 1, 1 + 1e-10, 1.1, 2, 5} {
			t.Run(fmt.Sprintf("%d numbers, s=%v", n, s), func(t *testing.T) {
				const draws = 100_000
				norm := 0.0
				for k := 1; k <= n; k++ {
					norm += math.Pow(float64(k), -s)
				}
				counts, expected := make([]float64, n), make([]float64, n)
				for k := 1; k <= n; k++ {
					expected[k-1] = draws * math.Pow(float64(k), -s) / norm
				}
				for _, k := range numbers(t, scenario.Zipf{N: int64(n), S: s}, draws) {
					counts[k-1]++
				}
				fits(t, pooled(counts, expected), pooled(expected, expected))
			})
		}
	}
}

// pooled puts what is expected less than ten times together with what is before it, as the chi-square test needs.
func pooled(counts, expected []float64) []float64 {
	var all []float64
	sum, enough := 0.0, 0.0
	for i := range counts {
		sum += counts[i]
		if enough += expected[i]; enough >= 10 {
			all = append(all, sum)
			sum, enough = 0, 0
		}
	}
	all[len(all)-1] += sum
	return append(all, 1) // one more, equal in both, for there to be a degree of freedom
}

// TestZipfOfManyNumbers is about the largest range: the part of the first thousand must be that of the law, by the integral.
func TestZipfOfManyNumbers(t *testing.T) {
	const n, s, draws = 1 << 53, 0.99, 20_000
	harmonic := func(n float64) float64 { // Euler–Maclaurin, without the terms that are too small to matter
		return (math.Pow(n, 1-s)-1)/(1-s) + 0.5*(1+math.Pow(n, -s)) + s/12
	}
	first := 0.0
	for _, k := range numbers(t, scenario.Zipf{N: n, S: s}, draws) {
		if k <= 1000 {
			first++
		}
	}
	want := draws * harmonic(1000) / harmonic(n)
	fits(t, []float64{first, draws - first}, []float64{want, draws - want})
}

func TestRangeIsEven(t *testing.T) {
	counts, expected := make([]float64, 16), make([]float64, 16)
	all := numbers(t, scenario.Range{From: -3, To: 0}, 40_001)
	for i := range all[1:] {
		counts[(all[i]+3)*4+all[i+1]+3]++ // with the one after it: neighbours know nothing of each other
	}
	for i := range expected {
		expected[i] = 2500
	}
	fits(t, counts, expected)
	widest := numbers(t, scenario.Range{From: math.MinInt64, To: math.MaxInt64}, 1000)
	below := 0
	for _, n := range widest {
		if n < 0 {
			below++
		}
	}
	fits(t, []float64{float64(below), float64(1000 - below)}, []float64{500, 500})
}

func TestListWeights(t *testing.T) {
	counts := make([]float64, 3)
	for _, i := range numbers(t, scenario.List{Values: []string{"0", "1", "2"}, Weights: []uint64{1, 5, 4}}, 10_000) {
		counts[i]++
	}
	fits(t, counts, []float64{1000, 5000, 4000})
}

func TestSequenceAndOrder(t *testing.T) {
	for i, n := range numbers(t, scenario.Sequence{From: -2}, 5) {
		if n != i-2 {
			t.Errorf("value %d is %d", i, n)
		}
	}
	l := load(t, "variables: {w: {file: words.txt, order: in-order}}\nrequests: [{path: '/${w}'}]")
	for n, want := range []string{"/one", "/two%20words", "/three%25", "/one"} {
		var r loadtest.Request
		if l.Source.Request(uint64(n), &r); string(r.Path) != want {
			t.Errorf("request %d: %s, want %s", n, r.Path, want)
		}
	}
}

// Requests of steady kinds are made without an allocation; a header that has to be put together takes one.
func TestRequestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	for name, c := range map[string]struct {
		text   string
		budget float64
	}{
		"read":         {readOrders, 0},
		"insert":       {insertOrders, 0},
		"whole header": {"variables: {t: {list: [a, b]}}\nrequests: [{path: /, headers: {Authorization: '${t}'}}]", 0},
		"made header":  {"variables: {t: {list: [a, b]}}\nrequests: [{path: /, headers: {Authorization: 'Bearer ${t}'}}]", 1},
	} {
		source, n := load(t, c.text).Source, uint64(0)
		var r loadtest.Request
		for range 1000 { // until its memory is large enough
			source.Request(n, &r)
			n++
		}
		got := testing.AllocsPerRun(1000, func() {
			source.Request(n, &r)
			n++
		})
		if got > c.budget {
			t.Errorf("%s: %v allocations, the budget is %v", name, got, c.budget)
		}
	}
}

const (
	readOrders = `
variables: {id: {zipf: 100000, s: 0.99}, tenant: {list: [acme, "o'neil & sons"]}, token: {env: API_TOKEN}}
headers: {Accept: application/json, Authorization: 'Bearer ${token}'}
requests: [{path: '/orders?id=eq.${id}&tenant=eq.${tenant}&select=*', weight: 9}, {path: '/orders?limit=10'}]`
	insertOrders = `
variables: {id: {sequence: 1}, user: {file: users.csv, column: name}, age: {file: users.csv, column: age, numbers: true}}
requests: [{path: /orders, body: {id: '${id}', user: '${user}', age: '${age}'}}]`
)

func BenchmarkRequest(b *testing.B) {
	for name, text := range map[string]string{"read": readOrders, "insert": insertOrders} {
		b.Run(name, func(b *testing.B) {
			source, n := load(b, text).Source, uint64(0)
			var r loadtest.Request
			b.ReportAllocs()
			for b.Loop() {
				source.Request(n, &r)
				n++
			}
		})
	}
}

func TestExpect(t *testing.T) {
	l := load(t, `requests: [{path: /, expect: {status: [2xx, 404], body: {contains: '"id"', json: true}}}, {path: /b, expect: {body: {json: true}}}, {path: /c}]`)
	shapes := l.Source.Shapes()
	for _, c := range []struct {
		shape, status int
		body, want    string
	}{
		{0, 201, `{"id": 1}`, ""},
		{0, 404, `{"id": 1}`, ""},
		{0, 304, `{"id": 1}`, "status 304"},
		{0, 200, `{}`, `body lacks "\"id\""`},
		{0, 200, `{"id": 1`, "body is not JSON"},
		{1, 399, `[]`, ""},
		{1, 400, `[]`, "status 400"},
		{1, 200, ``, "body is not JSON"},
	} {
		if got := shapes[c.shape].Check(c.status, []byte(c.body)); got != c.want {
			t.Errorf("%d %s: got %q, want %q", c.status, c.body, got, c.want)
		}
	}
	if shapes[2].Check != nil {
		t.Error("a check without expectations")
	}
}
