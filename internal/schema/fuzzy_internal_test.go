package schema

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"
)

func TestGramCounts(t *testing.T) {
	for _, tc := range []struct {
		text string
		size int
		want map[string]int
	}{
		{"xxxx", 2, map[string]int{"-x": 1, "xx": 3, "x-": 1}},
		{"ab", 3, map[string]int{"-ab": 1, "ab-": 1}},
		{"a_b (c), d.", 3, map[string]int{"-ab": 1, "ab ": 1, "b c": 1, " c,": 1, "c, ": 1, ", d": 1, " d-": 1}},
		{"ü", 2, map[string]int{"-ü": 1, "ü-": 1}},
		{"", 2, map[string]int{"--": 1}},
		{"", 3, map[string]int{}},
	} {
		if d := cmp.Diff(tc.want, gramCounts(tc.text, tc.size)); d != "" {
			t.Errorf("%q by %d (-want +got):\n%s", tc.text, tc.size, d)
		}
	}
}

func TestFuzzySetBest(t *testing.T) {
	set := newFuzzySet([]string{"Projects", "project_items", "clients", "PROJECTS", "x", "overview of all"})
	for _, tc := range []struct {
		wanted string
		min    float64
		name   string
		score  float64
	}{
		{"projects", 0.75, "Projects", 1},
		{"projectx", 0.75, "Projects", 1 - 1.0/8},
		{"projecxx", 0.75, "Projects", 1 - 2.0/8},
		{"projexxx", 0.75, "", 0},
		{"projexxx", 0.33, "Projects", 1 - 3.0/8},
		{"client", 0.75, "clients", 1 - 1.0/7},
		{"cl", 0.2, "clients", 1 - 5.0/7}, // no gram of three in common
		{"zzz", 0.1, "", 0},
		{"", 0.1, "", 0},
	} {
		name, score := set.best(tc.wanted, tc.min)
		if name != tc.name || math.Abs(score-tc.score) > 1e-9 {
			t.Errorf("%q: %q, %v, want %q, %v", tc.wanted, name, score, tc.name, tc.score)
		}
	}
}

func TestFuzzySetDoesNotSearchForHugeNames(t *testing.T) {
	long := strings.Repeat("a", fuzzyMaxLength)
	set := newFuzzySet([]string{long})
	if name, _ := set.best(long[1:]+"b", 0.5); name != long {
		t.Error("a long name was not found")
	}
	if name, _ := set.best(long+"b", 0.5); name != "" {
		t.Error("a name over the limit was searched for")
	}
}

func TestLevenshtein(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"gumbo", "gambol", 2}, {"äö", "ao", 2},
	} {
		if got := levenshtein([]rune(tc.a), []rune(tc.b)); got != tc.want {
			t.Errorf("%q to %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
	symmetric := func(a, b string) bool {
		x, y := []rune(a), []rune(b)
		d := levenshtein(x, y)
		return d == levenshtein(y, x) && d <= max(len(x), len(y)) && (d == 0) == (string(x) == string(y))
	}
	if err := quick.Check(symmetric, nil); err != nil {
		t.Error(err)
	}
}

func BenchmarkFuzzySet(b *testing.B) {
	names := make([]string, maxHintTables)
	for i := range names {
		names[i] = "customer_orders_archive_" + strconv.Itoa(i)
	}
	set := newFuzzySet(names)
	for b.Loop() {
		set.best("customer_order_archiv_17", minScoreName)
	}
}
