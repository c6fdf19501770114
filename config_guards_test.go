package slipstream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

// What the file says can be said in any other place, too.
func TestGuardsFromAnySource(t *testing.T) {
	want := map[string]slipstream.RelationGuards{
		"*": {MaxRows: new(100), StatementTimeout: new(1500 * time.Millisecond)},
		`api.my "odd" näme`: {
			MaxEmbedDepth: new(0), IndexedFiltersOnly: new(true), MaxCost: new(5000), FullTableWrites: new(false),
		},
		"plain": {},
		"news": {
			Cache: new("off"), CacheTTL: new(time.Minute), CacheStaleness: new(250 * time.Millisecond), CachePublic: new(true),
			CacheMaxAge: new(time.Duration(0)), CacheVaryClaims: &[]string{"org", "team"},
		},
	}
	const text = `{"*": {"max-rows": 100, "statement-timeout": "1500ms"}, "plain": {},
		"news": {"cache": "off", "cache-ttl": "1m", "cache-staleness": "250ms", "cache-public": true, "cache-max-age": 0, "cache-vary-claims": ["org", "team"]},
		"api.my \"odd\" näme": {"max-embed-depth": 0, "indexed-filters-only": true, "max-cost": 5000, "full-table-writes": false}}`
	line := strings.ReplaceAll(text, "\n\t\t", " ")
	for name, sources := range map[string]slipstream.Sources{
		"YAML": {File: writeFile(t, "c.yaml", `
relations:
  "*":
    max-rows: 100
    statement-timeout: 1500ms
  'api.my "odd" näme': {max-embed-depth: 0, indexed-filters-only: true, max-cost: 5000, full-table-writes: false}
  plain:
  news:
    cache: off
    cache-ttl: 60
    cache-staleness: 250ms
    cache-public: true
    cache-max-age: 0
    cache-vary-claims: org, team
`)},
		"JSON":          {File: writeFile(t, "c.json", `{"relations": `+text+`}`)},
		"text in YAML":  {File: writeFile(t, "c.yaml", "relations: '"+line+"'")},
		"PostgREST's":   {File: writeFile(t, "c.conf", `relations = "`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line)+`"`)},
		"variable":      {Env: []string{"SLIPSTREAM_RELATIONS=" + text}},
		"flag":          {Flags: map[string][]string{"relations": {text}}},
		"over the file": {File: writeFile(t, "c.yaml", "relations: {other: {max-rows: 1}}"), Env: []string{"SLIPSTREAM_RELATIONS=" + text}},
	} {
		c, warnings, err := slipstream.Load(sources)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", name, err, warnings)
			continue
		}
		if diff := cmp.Diff(want, c.Relations); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		// And what is printed can be read again.
		again := loadFile(t, writeFile(t, "dump.yaml", c.WithDefaults().YAML()))
		if diff := cmp.Diff(want, again.Relations); diff != "" {
			t.Errorf("%s, printed: %s", name, diff)
		}
	}
}

func TestGuardsUnset(t *testing.T) {
	for _, content := range []string{"relations:", "relations: ''", "relations: {}", "relations: '{}'"} {
		if c := loadFile(t, writeFile(t, "c.yaml", content)); c.Relations != nil {
			t.Errorf("%s: %v", content, c.Relations)
		}
	}
}

func TestWrongGuards(t *testing.T) {
	for text, want := range map[string]string{
		`{"orders": {"max-row": 1}}`:                                       "orders: max-row: there is no such guard; write max-rows, max-embed-depth, indexed-filters-only, max-cost, statement-timeout, full-table-writes, cache, cache-ttl, cache-stale-while-revalidate, cache-stale-if-error, cache-staleness, cache-public, cache-max-age, cache-vary-claims",
		`{"orders": {"max-rows": "many"}}`:                                 `orders: max-rows: "many" is not a whole number`,
		`{"orders": {"max-rows": [1]}}`:                                    "orders: max-rows: write a plain value; mappings, anchors, aliases and tags are not possible here",
		`{"orders": {"cache": "maybe"}}`:                                   `orders: cache: "maybe" is not known; write on, off, ttl`,
		`{"orders": {"cache-vary-claims": [[]]}}`:                          "orders: cache-vary-claims: write a plain value; mappings, anchors, aliases and tags are not possible here",
		`{"orders": {"cache": "ttl"}}`:                                     "orders: cache: ttl does not say for how long; add cache-ttl, such as cache-ttl: 1m",
		`{"*": {"cache": "ttl", "cache-ttl": 5}, "a.b": {"cache-ttl": 0}}`: "a.b: cache: ttl does not say for how long; add cache-ttl, such as cache-ttl: 1m",
		`{"orders": {"cache-ttl": 5, "cache-stale-if-error": 5}}`:          "orders: cache-stale-if-error is for answers that are kept for a time; add cache: ttl and cache-ttl, or leave it out",
		`{"*": {"cache": "ttl", "cache-ttl": 5}, "b": {"cache": "on", "cache-stale-while-revalidate": 5}}`: "b: cache-stale-while-revalidate is for answers that are kept for a time; add cache: ttl and cache-ttl, or leave it out",
		`{"orders": 5}`:                         "orders: write a mapping of guards, such as {max-rows: 100}",
		`orders`:                                "write a mapping of relations to guards, such as orders: {max-rows: 100}",
		`{"": {}}`:                              "the name of a relation is empty; write it, or * for all relations",
		`{"orders": {"statement-timeout": -1}}`: "orders: statement-timeout: -1s is negative; write a positive time",
	} {
		_, _, err := slipstream.Load(slipstream.Sources{Env: []string{"SLIPSTREAM_RELATIONS=" + text}})
		if err == nil || err.Error() != "SLIPSTREAM_RELATIONS: "+want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
	_, _, err := slipstream.Load(slipstream.Sources{Env: []string{"SLIPSTREAM_RELATIONS={"}})
	if err == nil || !strings.HasPrefix(err.Error(), "SLIPSTREAM_RELATIONS: neither JSON nor YAML: ") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	c := slipstream.Config{Relations: map[string]slipstream.RelationGuards{"orders": {MaxCost: new(-1)}}}
	if err := c.Validate(); err == nil || err.Error() != "relations: orders: max-cost: -1 is too small; write at least 0" {
		t.Error(err)
	}
}

// What an entry leaves out, those of less special names say.
func TestCachedFor(t *testing.T) {
	c := loadFile(t, writeFile(t, "c.yaml", `relations:
  "*": {cache: ttl, cache-ttl: 1m, cache-stale-if-error: 1h}
  news: {cache-ttl: 5s}
  api.orders: {cache: true}
  secrets: {cache: off}
  api.secrets: {max-rows: 5}`))
	for name, want := range map[string]time.Duration{
		"api.items": time.Minute, "api.news": 5 * time.Second, "api.orders": 0, "other.orders": time.Minute, "api.secrets": 0,
	} {
		schema, relation, _ := strings.Cut(name, ".")
		if got := c.CachedFor(schema, relation); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestGuardSchema(t *testing.T) {
	schema := compileSchema(t)
	for text, valid := range map[string]bool{
		"relations: {'*': {max-rows: 1, statement-timeout: 5s}, a:, b: {}}": true,
		"relations: '{}'": true,
		"relations: {a: {cache: off, cache-vary-claims: [b]}}": true,
		"relations: {a: {cache: maybe}}":                       false,
		"relations: {a: {cache: ttl, cache-ttl: 1m, cache-stale-if-error: 1h, cache-stale-while-revalidate: 5}, b: {cache: true}}": true,
		"relations: {a: {max-row: 1}}":       false,
		"relations: {a: {max-rows: many}}":   false,
		"relations: {a: {max-cost: -1}}":     false,
		"relations: [a]":                     false,
		"relations: {a: {max-rows: {b: c}}}": false,
	} {
		if err := schema.Validate(decode(t, text)); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}
