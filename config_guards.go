package slipstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/slipstream-go/slipstream/internal/plan"
)

// RelationGuards limit what requests may do with a relation, and say how its answers are cached. What is nil is taken from
// the entry of less special a name, and is no limit where there is none. Any entry, an empty one too, blocks PATCH and
// DELETE without filters, unless all that it has is about the cache.
type RelationGuards struct {
	// MaxRows is the most rows of a page, also where the relation is embedded; 0 is no bound but db-max-rows.
	MaxRows *int
	// MaxEmbedDepth is how deep a request for the relation may embed others; 0 is not at all.
	MaxEmbedDepth *int
	// IndexedFiltersOnly refuses filters on columns without an index.
	IndexedFiltersOnly *bool
	// MaxCost is the highest cost of a read, as PostgreSQL's planner estimates it; 0 is no bound.
	MaxCost *int
	// StatementTimeout bounds the statements of requests for the relation; 0 leaves it to the role and the database.
	StatementTimeout *time.Duration
	// FullTableWrites allows PATCH and DELETE without filter and limit.
	FullTableWrites *bool

	// Cache is off where answers with rows of the relation are not kept, on where they are until something changes, and ttl where
	// they are kept for CacheTTL also if it cannot be told what changes. The default is on.
	Cache *string
	// CacheTTL is the longest that an answer is kept; 0 keeps it until a change.
	CacheTTL *time.Duration
	// CacheStaleWhileRevalidate is for how long after CacheTTL an answer may be served while it is fetched anew, and
	// CacheStaleIfError where the database fails to give it (RFC 5861). They need Cache to be ttl.
	CacheStaleWhileRevalidate *time.Duration
	CacheStaleIfError         *time.Duration
	// CacheStaleness goes before Config.CacheStaleness; 0 does not.
	CacheStaleness *time.Duration
	// CachePublic lets caches on the way keep answers for anonymous callers.
	CachePublic *bool
	// CacheMaxAge is how long those may use them without asking again, in whole seconds; 0 is not at all.
	CacheMaxAge *time.Duration
	// CacheVaryClaims are claims of the token that callers must share to share answers, besides those that policies read.
	CacheVaryClaims *[]string
}

// guard is one of them, as a kind of option.
type guard struct {
	name string
	value
}

// take sets and checks it.
func (g guard) take(text string) error {
	if err := g.set(text); err != nil {
		return err
	}
	return g.check()
}

// all lists what an entry can have in the order of the documentation.
func (g *RelationGuards) all() []guard { return append(g.limits(), g.policies()...) }

// limits are the guards proper.
func (g *RelationGuards) limits() []guard {
	count := func(p *int) value { return number{p: p} }
	flag := func(p *bool) value { return (*enabled)(p) }
	return []guard{
		{"max-rows", optional[int]{&g.MaxRows, count}},
		{"max-embed-depth", optional[int]{&g.MaxEmbedDepth, count}},
		{"indexed-filters-only", optional[bool]{&g.IndexedFiltersOnly, flag}},
		{"max-cost", optional[int]{&g.MaxCost, count}},
		{"statement-timeout", optional[time.Duration]{&g.StatementTimeout, func(p *time.Duration) value { return duration{p: p, zero: true} }}},
		{"full-table-writes", optional[bool]{&g.FullTableWrites, flag}},
	}
}

// optional is a value that may be left out, which is not the same as its zero.
type optional[T any] struct {
	p  **T
	of func(*T) value
}

func (v optional[T]) set(s string) error {
	if *v.p = nil; s == "" {
		return nil
	}
	*v.p = new(T)
	return v.of(*v.p).set(s)
}

func (v optional[T]) check() error {
	if v.unset() {
		return nil
	}
	return v.of(*v.p).check()
}

func (v optional[T]) unset() bool            { return *v.p == nil }
func (v optional[T]) kind() string           { return v.of(new(T)).kind() }
func (v optional[T]) schema() map[string]any { return v.of(new(T)).schema() }
func (v optional[T]) String() string         { return v.of(*v.p).String() }
func (v optional[T]) plain() any             { return v.of(*v.p).plain() }

// relations are guards by the name of the relation.
type relations struct{ p *map[string]RelationGuards }

// set reads YAML, and so JSON.
func (v relations) set(text string) error {
	*v.p = nil
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return fmt.Errorf("neither JSON nor YAML: %s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
	r := guardReader{entries: map[string]RelationGuards{}}
	for _, doc := range file.Docs {
		r.read(doc.Body)
	}
	if len(r.problems) > 0 {
		return r.problems[0]
	}
	if len(r.entries) > 0 {
		*v.p = r.entries
	}
	return nil
}

func (v relations) check() error {
	for _, name := range sortedKeys(*v.p) {
		entry := (*v.p)[name]
		for _, g := range entry.all() {
			if err := g.check(); err != nil {
				return fmt.Errorf("%s: %s: %w", name, g.name, err)
			}
		}
		if err := checkPolicy(*v.p, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (v relations) String() string {
	b, err := yaml.MarshalWithOptions(v.plain(), yaml.JSON())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (v relations) unset() bool  { return len(*v.p) == 0 }
func (v relations) kind() string { return "guards by relation" }

func (v relations) schema() map[string]any {
	properties := map[string]any{}
	for _, g := range new(RelationGuards).all() {
		properties[g.name] = g.schema()
	}
	return map[string]any{"type": []string{"object", "string"}, "additionalProperties": map[string]any{
		"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false,
	}}
}

func (v relations) plain() any {
	all := yaml.MapSlice{}
	for _, name := range sortedKeys(*v.p) {
		entry, plain := (*v.p)[name], yaml.MapSlice{}
		for _, g := range entry.all() {
			if !g.unset() {
				plain = append(plain, yaml.MapItem{Key: g.name, Value: g.plain()})
			}
		}
		all = append(all, yaml.MapItem{Key: name, Value: plain})
	}
	return all
}

// guardReader reads relations from a syntax tree.
type guardReader struct {
	entries  map[string]RelationGuards
	problems []error
	// at is where a node stands, in a file; nil elsewhere.
	at func(ast.Node) string
}

func (r *guardReader) problem(n ast.Node, path string, err error) {
	if path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if r.at != nil {
		err = fmt.Errorf("%s: relations: %w", r.at(n), err)
	}
	r.problems = append(r.problems, err)
}

func (r *guardReader) read(n ast.Node) {
	entries, ok := mappingOf(n)
	if !ok {
		r.problem(n, "", errors.New("write a mapping of relations to guards, such as orders: {max-rows: 100}"))
	}
	for _, e := range entries {
		name := keyText(e) // the parser has seen to it that no name comes twice
		if name == "" {
			r.problem(e.Key, "", errors.New("the name of a relation is empty; write it, or * for all relations"))
			continue
		}
		r.entries[name] = r.entry(name, e.Value)
	}
}

func (r *guardReader) entry(relation string, n ast.Node) RelationGuards {
	var entry RelationGuards
	all := entry.all()
	guards, ok := mappingOf(n)
	if !ok {
		r.problem(n, relation, errors.New("write a mapping of guards, such as {max-rows: 100}"))
	}
	for _, e := range guards {
		path := relation + ": " + keyText(e)
		i := slices.IndexFunc(all, func(g guard) bool { return g.name == keyText(e) })
		text, plain := scalarText(e.Value)
		if i >= 0 && all[i].kind() == (list{}).kind() {
			text, plain = scalarsText(e.Value)
		}
		switch {
		case i < 0:
			r.problem(e.Key, path, errors.New("there is no such guard; write "+guardNames(all)))
		case !plain:
			r.problem(e.Value, path, errNoScalar)
		default:
			if err := all[i].take(text); err != nil {
				r.problem(e.Value, path, err)
			}
		}
	}
	return entry
}

func guardNames(all []guard) string {
	names := make([]string, len(all))
	for i, g := range all {
		names[i] = g.name
	}
	return strings.Join(names, ", ")
}

// scalarsText is scalarText that also takes a list.
func scalarsText(n ast.Node) (string, bool) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		return scalarText(n)
	}
	texts := make([]string, len(sequence.Values))
	for i, item := range sequence.Values {
		if texts[i], ok = scalarText(item); !ok {
			return "", false
		}
	}
	return strings.Join(texts, ","), true
}

// guards turns them into what plans are made with.
func (c Config) guards() plan.Guards {
	guards := plan.Guards{}
	for name, g := range c.Relations {
		if g.cachesOnly() {
			continue
		}
		guards[name] = plan.Guard{
			MaxRows: g.MaxRows, MaxEmbedDepth: g.MaxEmbedDepth, IndexedFiltersOnly: g.IndexedFiltersOnly,
			MaxCost: g.MaxCost, StatementTimeout: g.StatementTimeout, FullTableWrites: g.FullTableWrites,
		}
	}
	return guards
}
