package schema

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// fuzzySet finds the names that are most like a misspelt one, with the scores
// of fuzzyset.js and its ports (PostgREST uses Haskell's fuzzyset): names are
// cut into grams of three characters, or of two when three find nothing, ranked
// by the cosine of their gram counts, and the 50 best ranked anew by edit distance.
type fuzzySet struct {
	names []fuzzyName
	exact map[string]int
	grams map[string][]posting
}

type fuzzyName struct {
	original string
	lower    string
	// magnitudes are the Euclidean norms of the counts of its grams, by size (minGram first).
	magnitudes [maxGram - minGram + 1]float64
}

// posting says how often a gram occurs in a name.
type posting struct{ name, count int }

const (
	minGram, maxGram = 2, 3
	// fuzzyCandidates is how many names are ranked by edit distance.
	fuzzyCandidates = 50
	// fuzzyMaxLength bounds, in bytes, what is looked for: edit distance takes time in proportion to the product of
	// the lengths, and a name has at most 63 bytes.
	fuzzyMaxLength = 512
)

// newFuzzySet indexes names. Names that differ in case alone count once; the order decides between equal scores.
func newFuzzySet(names []string) *fuzzySet {
	s := &fuzzySet{exact: make(map[string]int, len(names)), grams: make(map[string][]posting)}
	for _, name := range names {
		lower := strings.ToLower(name)
		if _, ok := s.exact[lower]; ok {
			continue
		}
		n := fuzzyName{original: name, lower: lower}
		for size := minGram; size <= maxGram; size++ {
			counts := gramCounts(lower, size)
			n.magnitudes[size-minGram] = magnitude(counts)
			for gram, count := range counts {
				s.grams[gram] = append(s.grams[gram], posting{len(s.names), count})
			}
		}
		s.exact[lower] = len(s.names)
		s.names = append(s.names, n)
	}
	return s
}

// best is the name most like the wanted one and its score in [minScore, 1], or
// "". 1 means equal but for case.
func (s *fuzzySet) best(wanted string, minScore float64) (string, float64) {
	wanted = strings.ToLower(wanted)
	if i, ok := s.exact[wanted]; ok {
		return s.names[i].original, 1
	}
	if len(wanted) > fuzzyMaxLength {
		return "", 0
	}
	for size := maxGram; size >= minGram; size-- {
		if name, score := s.bestByGrams(wanted, size, minScore); score >= minScore {
			return name, score
		}
	}
	return "", 0
}

// bestByGrams is right about scores from minScore on.
func (s *fuzzySet) bestByGrams(wanted string, size int, minScore float64) (name string, score float64) {
	runes := []rune(wanted)
	for _, i := range s.candidates(wanted, size) {
		found := []rune(s.names[i].lower)
		// The distance is at least the difference of the lengths, and takes their product to compute.
		if float64(min(len(runes), len(found))) < minScore*float64(max(len(runes), len(found))) {
			continue
		}
		if v := similarity(runes, found); v > score {
			name, score = s.names[i].original, v
		}
	}
	return name, score
}

// candidates are the names that share the most grams with the wanted one, best first.
func (s *fuzzySet) candidates(wanted string, size int) []int {
	counts := gramCounts(wanted, size)
	dots := make(map[int]int)
	for gram, count := range counts {
		for _, p := range s.grams[gram] {
			dots[p.name] += p.count * count
		}
	}
	norm := magnitude(counts)
	cosine := func(i int) float64 {
		return float64(dots[i]) / (norm * s.names[i].magnitudes[size-minGram])
	}
	ranked := make([]int, 0, len(dots))
	for i := range dots {
		ranked = append(ranked, i)
	}
	slices.SortFunc(ranked, func(a, b int) int {
		return cmp.Or(cmp.Compare(cosine(b), cosine(a)), cmp.Compare(a, b))
	})
	return ranked[:min(len(ranked), fuzzyCandidates)]
}

// gramCounts counts the substrings of a length in text, of which only letters,
// digits, spaces and commas are kept and which is put between two hyphens.
func gramCounts(text string, size int) map[string]int {
	runes := make([]rune, 1, len(text)+2)
	runes[0] = '-'
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSpace(r) || r == ',' {
			runes = append(runes, r)
		}
	}
	runes = append(runes, '-')
	counts := make(map[string]int, len(runes))
	for i := 0; i+size <= len(runes); i++ {
		counts[string(runes[i:i+size])]++
	}
	return counts
}

func magnitude(counts map[string]int) float64 {
	sum := 0
	for _, n := range counts {
		sum += n * n
	}
	return math.Sqrt(float64(sum))
}

// similarity is 1 minus the Levenshtein distance in proportion to the longer text.
func similarity(a, b []rune) float64 {
	longer := max(len(a), len(b))
	if longer == 0 {
		return 1
	}
	return 1 - float64(levenshtein(a, b))/float64(longer)
}

func levenshtein(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, ra := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, rb := range b {
			substitute := diagonal
			if ra != rb {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
