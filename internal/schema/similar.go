package schema

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// What a name must score to be suggested. Tables and functions need the high
// one, so that guessing cannot list them.
const (
	minScoreName  = 0.75
	minScoreOther = 0.33
)

const (
	// maxHintTables: a schema with this many tables has no hints for tables, as in PostgREST: the index is large.
	maxHintTables = 500
	// maxHintNames bounds the other indexes in the same way.
	maxHintNames = 5000
)

// hints are the indexes for "Perhaps you meant ...", each built when a request
// first asks for it. There are never more than the snapshot has names.
type hints struct {
	mu   sync.Mutex
	sets map[hintKey]*fuzzySet
}

type hintKey struct {
	kind hintKind
	name Name
}

type hintKind int

const (
	hintTables hintKind = iota // of a schema
	hintOrigins
	hintTargets
	hintFunctions
	hintParams
)

// set gives an index, building it from names if need be; nil when there are too many names.
func (h *hints) set(k hintKey, limit int, names func() []string) *fuzzySet {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.sets[k]; ok {
		return s
	}
	if h.sets == nil {
		h.sets = make(map[hintKey]*fuzzySet)
	}
	var s *fuzzySet
	if n := names(); len(n) < limit {
		slices.Sort(n)
		s = newFuzzySet(n)
	}
	h.sets[k] = s
	return s
}

// SimilarRelation is the name of the relation in n's schema that is spelt most
// like n, or "" when none is like it (a score of 0.75) or the schema has 500
// relations or more.
func (s *Snapshot) SimilarRelation(n Name) string {
	set := s.hints.set(hintKey{hintTables, Name{Schema: n.Schema}}, maxHintTables, func() []string {
		return namesIn(n.Schema, maps.Keys(s.Relations))
	})
	return set.suggest(n.Name, minScoreName)
}

// SimilarTarget says which name of an embedding is likely to be misspelt, and
// what was meant: the origin when it has no relationships within the schema,
// else the target. Both are "" when nothing is like it, or when the target is
// right and it is the hint that is not.
func (s *Snapshot) SimilarTarget(origin Name, schema, target string) (misspelt, meant string) {
	from, ok := s.Relationships[RelationshipKey{Name{schema, origin.Name}, schema}]
	if !ok {
		if _, exists := s.Relations[Name{schema, origin.Name}]; exists {
			return "", "" // it is not misspelt, it just has no relationships here
		}
		set := s.hints.set(hintKey{hintOrigins, Name{Schema: schema}}, maxHintNames, func() []string {
			return s.originsIn(schema)
		})
		return ifAny(origin.Name, set.suggest(origin.Name, minScoreOther))
	}
	set := s.hints.set(hintKey{hintTargets, Name{schema, origin.Name}}, maxHintNames, func() []string {
		var names []string
		for _, r := range from {
			names = append(names, r.Target.Name)
		}
		return names
	})
	if set == nil {
		return "", ""
	}
	meant, score := set.best(target, minScoreOther)
	if score == 1 {
		return "", ""
	}
	return ifAny(target, meant)
}

// SimilarFunction is the function most like a call that matches none:
// "name" when there is no function n, "name(a, b)" with the parameters, sorted,
// of the best overload when there is but not with these parameters, or "". A
// name must score 0.75, parameters 0.33.
func (s *Snapshot) SimilarFunction(n Name, params []string) string {
	overloads := s.Functions[n]
	if len(overloads) == 0 {
		set := s.hints.set(hintKey{hintFunctions, Name{Schema: n.Schema}}, maxHintNames, func() []string {
			return namesIn(n.Schema, maps.Keys(s.Functions))
		})
		return set.suggest(n.Name, minScoreName)
	}
	set := s.hints.set(hintKey{hintParams, n}, maxHintNames, func() []string {
		signatures := make([]string, len(overloads))
		for i, f := range overloads {
			names := make([]string, len(f.Params))
			for j, p := range f.Params {
				names[j] = p.Name
			}
			signatures[i] = signature(names)
		}
		return signatures
	})
	if meant := set.suggest(signature(params), minScoreOther); meant != "" {
		return n.Name + meant
	}
	return ""
}

// signature is what parameter lists are compared as: "(a, b)", sorted.
func signature(params []string) string {
	return "(" + strings.Join(slices.Sorted(slices.Values(params)), ", ") + ")"
}

func (s *fuzzySet) suggest(wanted string, minScore float64) string {
	if s == nil {
		return ""
	}
	name, _ := s.best(wanted, minScore)
	return name
}

func ifAny(misspelt, meant string) (string, string) {
	if meant == "" {
		return "", ""
	}
	return misspelt, meant
}

func namesIn(schema string, names func(func(Name) bool)) []string {
	var in []string
	for n := range names {
		if n.Schema == schema {
			in = append(in, n.Name)
		}
	}
	return in
}

// originsIn are the relations that have relationships to relations of a schema.
func (s *Snapshot) originsIn(schema string) []string {
	var in []string
	for k := range s.Relationships {
		if k.TargetSchema == schema {
			in = append(in, k.Origin.Name)
		}
	}
	return in
}
