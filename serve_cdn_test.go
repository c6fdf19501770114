package slipstream_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream"
)

// told notes what a cache on the way is told.
type told struct {
	*httptest.Server
	mu   sync.Mutex
	tags []string
	keys map[string]bool
}

func newTold(t *testing.T) *told {
	c := &told{keys: map[string]bool{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Tags []string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tags = append(append(c.tags, body.Tags...), strings.Fields(r.Header.Get("Surrogate-Key"))...)
		c.keys[r.Header.Get("Authorization")+r.Header.Get("Fastly-Key")] = true
	}))
	t.Cleanup(c.Close)
	return c
}

// take gives the tags since the last time.
func (c *told) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	tags := c.tags
	c.tags = nil
	return tags
}

// Caches on the way are told of what they may have, by tables that relations read in whatever way, and of nothing else.
func TestPurgeCalls(t *testing.T) {
	cdn := newTold(t)
	s := serveCached(t, cachedTables+`
		create view named as select id, name from item;
		create table "odd name" (id int primary key);`, func(c *slipstream.Config) {
		c.CacheTags, c.CachePurgeURL, c.CachePurgeToken, c.CachePurgeHeader = "surrogate-key", cdn.URL, "hush", "Fastly-Key"
		public := slipstream.RelationGuards{CachePublic: new(true)}
		c.Relations = map[string]slipstream.RelationGuards{"item": public, "named": public, "odd name": public}
	})
	// The schema may be read once more at the beginning, after which all is told.
	told := func(what, sql string, tags ...string) {
		t.Helper()
		var got []string
		surplus := func(tag string) bool { return !slices.Contains(tags, tag) }
		for range 4 {
			got = cdn.take()[:0]
			s.exec("set search_path to api;" + sql)
			eventually(t, what, func() bool {
				got = append(got, cdn.take()...)
				return !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(got, tag) })
			})
			if !slices.ContainsFunc(got, surplus) {
				return
			}
		}
		t.Errorf("%s: told %v, want %v", what, got, tags)
	}
	told("what may have changed before", "", "api.item", "api.named", "api.odd%20name")
	told("a change of a table", "update mark set n = 7; update note set body = 'x'; update item set price = price + 1 where id = 3", "api.item", "api.named")
	told("a change of another", `insert into "odd name" select count(*) from "odd name"`, "api.odd%20name")
	if tag := s.hit("/odd%20name").Header.Get("Surrogate-Key"); tag != "api.odd%20name" {
		t.Errorf("the answer's tag is %s", tag)
	}
	told("a change of the schema", "alter table item add column if not exists extra int", "api.item", "api.named", "api.odd%20name")
	if len(cdn.keys) != 1 || !cdn.keys["hush"] {
		t.Errorf("keys %v", cdn.keys)
	}
	metrics := s.askAdmin("GET", "/metrics", "").body
	if !strings.Contains(metrics, "slipstream_cache_purge_calls_total") || !strings.Contains(metrics, "slipstream_cache_purge_failures_total 0") {
		t.Error("metrics do not count the calls")
	}
}

func TestPurgeOptionsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		change  func(*slipstream.Config)
		problem string
	}{
		{func(c *slipstream.Config) { c.CacheTags = "off" }, "cache-purge-url: answers have no tags to purge by; set cache-tags"},
		{func(c *slipstream.Config) { c.CacheMode = "off" }, "cache-purge-url: nothing is heard of changes; set cache-mode to auto"},
		{func(c *slipstream.Config) { c.CachePurgeURL = "example.com" }, "cache-purge-url: not an address"},
		{func(c *slipstream.Config) { c.CachePurgeHeader = "no header" }, "cache-purge-header: "},
		{func(*slipstream.Config) {}, ""},
	} {
		c := slipstream.Config{DBURI: "postgres://x", DBSchemas: []string{"api"}, CacheTags: "cache-tag", CachePurgeURL: "https://example.com/hush"}
		tc.change(&c)
		err := c.Validate()
		if tc.problem == "" && err != nil || tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
			t.Errorf("want %q: %v", tc.problem, err)
		}
	}
}
