package slipstream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
)

// with sets the entries of the option relations.
func with(entries map[string]slipstream.RelationGuards) func(*slipstream.Config) {
	return func(c *slipstream.Config) { c.Relations = entries }
}

func TestCacheOffForARelation(t *testing.T) {
	s := serveCached(t, cachedItems, with(map[string]slipstream.RelationGuards{
		"*": {Cache: new("off")}, "item": {Cache: new("on")}, "api.part": {},
	}))
	s.hit("/item?id=eq.1")
	for path, because := range map[string]string{
		"/maker":                    "maker is not to be kept",
		"/part":                     "part is not to be kept", // its entry says nothing of the cache
		"/item?select=id,maker(id)": "maker is not to be kept",
		"/maker?select=id,item(id)": "maker is not to be kept",
		"/item?maker.id=eq.1&select=id,maker(id)": "maker is not to be kept",
	} {
		s.get(path).check(t, 200, "*", fmt.Sprintf("Cache-Status: Slipstream; fwd=bypass; detail=%q", because), "Cache-Control: no-cache")
		if e := s.explain(path, nil); e.Kind != "policy" || e.Because != because {
			t.Errorf("%s: %+v", path, e)
		}
	}
}

// An entry that is about the cache alone does not guard: writes go as without it.
func TestCachePolicyIsNoGuard(t *testing.T) {
	for entry, want := range map[*slipstream.RelationGuards]int{
		{CacheTTL: new(time.Minute)}:                     204,
		{CacheTTL: new(time.Minute), MaxCost: new(1000)}: 400,
		{}: 400,
	} {
		s := serve(t, "create table item (id int); grant delete on item to ANON", with(map[string]slipstream.RelationGuards{"item": *entry}))
		s.send("DELETE", "/item").check(t, want, "*")
	}
}

func TestCacheTTL(t *testing.T) {
	s := serveCached(t, cachedItems, with(map[string]slipstream.RelationGuards{
		"*": {CacheTTL: new(time.Hour)}, "maker": {CacheTTL: new(time.Minute)}, "part": {CacheTTL: new(time.Duration(0))},
	}))
	left := func(path string) time.Duration {
		s.hit(path)
		e := s.explain(path, nil)
		if e.Entry == nil || e.Entry.ExpiresMilliseconds == nil {
			return 0
		}
		return time.Duration(*e.Entry.ExpiresMilliseconds) * time.Millisecond
	}
	if d := left("/item"); d <= time.Minute || d > time.Hour {
		t.Errorf("item expires in %s", d)
	}
	// The strictest relation of a request counts.
	for _, path := range []string{"/maker", "/item?select=id,maker(id)", "/maker?select=id,item(id)"} {
		if d := left(path); d <= 0 || d > time.Minute {
			t.Errorf("%s expires in %s", path, d)
		}
	}
	if d := left("/part"); d != 0 {
		t.Errorf("part expires in %s", d)
	}
}

// A relation may demand what no answer can fulfil.
func TestCacheStalenessOfARelation(t *testing.T) {
	s := serveCached(t, cachedItems, with(map[string]slipstream.RelationGuards{"item": {CacheStaleness: new(time.Nanosecond)}}))
	s.hit("/maker")
	eventually(t, "the answer is stored", func() bool {
		s.get("/item").check(t, 200, "*")
		return s.explain("/item", nil).Kind == "lease"
	})
}

func TestCachePublic(t *testing.T) {
	s := serveCached(t, cachedItems+"create table review (id int primary key, item int references item);", with(map[string]slipstream.RelationGuards{
		"item":  {CachePublic: new(true), CacheMaxAge: new(90 * time.Second)},
		"maker": {CachePublic: new(true), CacheMaxAge: new(30 * time.Second)},
		"cheap": {CachePublic: new(true)},
		"part":  {CacheMaxAge: new(time.Minute)}, // of no effect
	}))
	const vary = "Vary: Accept, Prefer, Range | Accept-Encoding | Authorization, Accept-Profile, Origin, Consistency-Token"
	for path, want := range map[string]string{
		"/item":                     "public, max-age=90",
		"/item?select=id,maker(id)": "public, max-age=30",
		"/cheap":                    "public, no-cache",
	} {
		first := s.get(path)
		first.check(t, 200, "*", "Cache-Control: "+want, vary)
		s.hit(path).check(t, 200, first.body, "Cache-Control: "+want, vary)
		s.get(path, "If-None-Match: "+first.Header.Get("ETag")).check(t, 304, "", "Cache-Control: "+want, vary)
		// What is for a token is for nobody else, and stays apart.
		s.hit(path, s.bearer()).check(t, 200, first.body, "Cache-Control: private, no-cache", vary)
	}
	for _, path := range []string{"/part", "/note", "/item?select=id,review(id)", "/review?select=id,item(id)"} {
		s.hit(path).check(t, 200, "*", "Cache-Control: no-cache", "Vary: Accept, Prefer, Range | Accept-Encoding")
	}
	s.get("/item", "Cache-Control: no-cache").check(t, 200, "*", "Cache-Control: no-cache")
}

// A cache on the way does not know that an answer depends on a header that a policy reads.
func TestCachePublicWithHeadersInPolicies(t *testing.T) {
	s := serveCached(t, cachedItems+`
		create table by_tenant (id int primary key, tenant text);
		insert into by_tenant values (1, 'a'), (2, 'b');
		alter table by_tenant enable row level security;
		create policy own on by_tenant for select using (tenant = current_setting('request.headers', true)::json ->> 'x-tenant');`,
		with(map[string]slipstream.RelationGuards{"*": {CachePublic: new(true), CacheMaxAge: new(time.Hour)}}))
	s.hit("/item").check(t, 200, "*", "Cache-Control: public, max-age=3600")
	for tenant, body := range map[string]string{"a": `[{"id":1,"tenant":"a"}]`, "b": `[{"id":2,"tenant":"b"}]`} {
		s.hit("/by_tenant", "X-Tenant: "+tenant).check(t, 200, body, "Cache-Control: no-cache")
	}
}

func TestCacheVaryClaims(t *testing.T) {
	s := serveCached(t, cachedItems, with(map[string]slipstream.RelationGuards{"item": {CacheVaryClaims: &[]string{"org", "team"}}}))
	token := func(claims ...string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + s.token(s.member, claims...)}
	}
	s.hit("/item", s.bearer(`"org": "x"`, `"sub": "1"`))
	if e := s.explain("/item", token(`"org": "x"`, `"sub": "2"`)); e.Verdict != "hit" || fmt.Sprint(e.Caller) != "[request.jwt.claims->org request.jwt.claims->team]" {
		t.Errorf("the same org: %+v", e)
	}
	for _, claims := range [][]string{{`"org": "y"`}, {`"org": "x"`, `"team": 1`}, nil} {
		if e := s.explain("/item", token(claims...)); e.Verdict != "miss" {
			t.Errorf("%s: %+v", claims, e)
		}
	}
}

func TestCacheTags(t *testing.T) {
	for option, want := range map[string][]string{
		"off":           {"Cache-Groups:", "Surrogate-Key:", "Cache-Tag:"},
		"cache-groups":  {`Cache-Groups: "api.item", "api.maker"`, "Surrogate-Key:", "Cache-Tag:"},
		"surrogate-key": {"Surrogate-Key: api.item api.maker", "Cache-Groups:"},
		"cache-tag":     {"Cache-Tag: api.item,api.maker", "Surrogate-Key:"},
	} {
		s := serveCached(t, cachedItems, func(c *slipstream.Config) { c.CacheTags = option })
		const path = "/maker?select=id,item(id)"
		s.get(path).check(t, 200, "*", want...)
		s.hit(path).check(t, 200, "*", want...)
	}
}

func TestCachePolicyIsReloaded(t *testing.T) {
	s := serveCached(t, cachedItems)
	s.hit("/item").check(t, 200, "*", "Cache-Control: no-cache")
	for _, c := range []struct {
		guards  slipstream.RelationGuards
		verdict string
		control string
	}{
		{slipstream.RelationGuards{Cache: new("off")}, "bypass", "no-cache"},
		{slipstream.RelationGuards{CachePublic: new(true)}, "miss", "public, no-cache"},
	} {
		s.config.Relations = map[string]slipstream.RelationGuards{"item": c.guards}
		if err := s.ReloadConfig(t.Context(), s.config); err != nil {
			t.Fatal(err)
		}
		if e := s.explain("/item", nil); e.Verdict != c.verdict {
			t.Errorf("%+v: %+v", c.guards, e)
		}
		s.get("/item").check(t, 200, "*", "Cache-Control: "+c.control)
	}
}
