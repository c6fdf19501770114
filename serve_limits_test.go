package slipstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

const quotaTables = "create table item (id int primary key); insert into item values (1), (2); create table big_report (id int primary key);" +
	"create function export() returns int language sql as 'select 1';"

// day is so long that nothing comes back while a test runs.
const day = 24 * time.Hour

func limited(t *testing.T, limits ...slipstream.RateLimit) *site {
	t.Helper()
	return serve(t, quotaTables, func(c *slipstream.Config) { c.Limits = limits })
}

// statuses sends a request several times.
func (s *site) statuses(n int, path string, headers ...string) string {
	s.t.Helper()
	var all []string
	for range n {
		all = append(all, strconv.Itoa(s.get(path, headers...).StatusCode))
	}
	return strings.Join(all, " ")
}

// service reads the fields as what they are: lists of strings with integers (RFC 9651), of policies in the same order.
func (a answer) service(t *testing.T) (out map[string]map[string]int64) {
	t.Helper()
	out = map[string]map[string]int64{}
	for _, field := range []struct {
		name     string
		required string
		known    string
	}{{"RateLimit-Policy", "q", "q w"}, {"RateLimit", "r", "r t"}} {
		list, err := httpsfv.UnmarshalList(a.Header.Values(field.name))
		if err != nil {
			t.Fatalf("%s: %q: %v", field.name, a.Header.Values(field.name), err)
		}
		for _, member := range list {
			item, ok := member.(httpsfv.Item)
			name, isText := item.Value.(string)
			if !ok || !isText {
				t.Fatalf("%s: %q is no list of strings", field.name, a.Header.Values(field.name))
			}
			if out[name] == nil {
				out[name] = map[string]int64{}
			}
			if _, ok := item.Params.Get(field.required); !ok {
				t.Errorf("%s: %q lacks %s", field.name, a.Header.Values(field.name), field.required)
			}
			for _, p := range item.Params.Names() {
				v, _ := item.Params.Get(p)
				n, isInteger := v.(int64)
				if !isInteger || n < 0 || !strings.Contains(field.known, p) {
					t.Errorf("%s: %s is %v", field.name, p, v)
				}
				out[name][p] = n
			}
		}
	}
	return out
}

func TestQuotaOfUsers(t *testing.T) {
	s := limited(t, slipstream.RateLimit{Name: "per-user", By: []string{"sub"}, Quota: 3, Window: day},
		slipstream.RateLimit{Name: "writes", By: []string{"role"}, Methods: []string{"POST"}, Quota: 1, Window: time.Hour})
	one, two := s.bearer(`"sub": "1"`), s.bearer(`"sub": "2"`)
	for left := 2; left >= 0; left-- {
		a := s.get("/item", one)
		got := a.service(t)["per-user"]
		if a.StatusCode != 200 || got["q"] != 3 || got["w"] != 86400 || got["r"] != int64(left) || got["t"] < 1 || got["t"] > 86400/3 || len(a.service(t)) != 1 {
			t.Errorf("%d left: %d %v", left, a.StatusCode, got)
		}
	}
	a := s.get("/item", one)
	a.check(t, 429, "*", "Content-Type: application/json; charset=utf-8", "Proxy-Status: PostgREST; error=SLIP210")
	var body struct{ Code, Message, Details, Hint string }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.Code != "SLIP210" || body.Details != `The limit "per-user" is 3 in 24h0m0s, at most 3 at once` {
		t.Errorf("%s %v", a.body, err)
	}
	retry, err := strconv.ParseInt(a.Header.Get("Retry-After"), 10, 64)
	if got := a.service(t)["per-user"]; err != nil || got["r"] != 0 || retry < got["t"] || retry > got["t"]*12/10 || body.Hint != fmt.Sprintf("Try again in %d s", retry) {
		t.Errorf("Retry-After %d, %v, %s", retry, got, body.Hint)
	}
	if got := s.statuses(2, "/item", two); got != "200 200" {
		t.Errorf("somebody else: %s", got)
	}
	// Who has no sub is not counted; a HEAD is a GET, and a 304 or a 404 a request.
	if got := s.statuses(5, "/item"); got != "200 200 200 200 200" || len(s.get("/item").service(t)) != 0 {
		t.Errorf("anonymous: %s", got)
	}
	if got := s.statuses(2, "/nowhere", two); got != "404 429" {
		t.Errorf("after two of three: %s", got)
	}
}

func TestQuotasOfRoutesAndCosts(t *testing.T) {
	s := limited(t,
		slipstream.RateLimit{Name: "reports", Routes: []string{"/big_*", "/rpc/*"}, Methods: []string{"GET"}, Quota: 10, Window: day, Cost: map[string]int{"/big_*": 2, "/big_report": 5}},
		slipstream.RateLimit{Name: "each", By: []string{"route", "header:x-api-key"}, Quota: 2, Window: day})
	if got := s.statuses(1, "/rpc/export") + " " + s.statuses(2, "/big_report") + " " + s.statuses(1, "/%62ig_other"); got != "200 200 429 404" {
		t.Errorf("1, 5, 5 and 2 of 10: %s", got)
	}
	if a := s.send(http.MethodHead, "/big_report"); a.StatusCode != 429 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.StatusCode, a.body)
	}
	if a := s.get("/rpc/export"); a.service(t)["reports"]["r"] != 1 {
		t.Errorf("what was refused was charged for: %v", a.service(t))
	}
	key := "X-Api-Key: secret"
	if got := s.statuses(3, "/item", key) + " " + s.statuses(1, "/item", "X-Api-Key: another"); got != "200 200 429 200" {
		t.Errorf("by API key: %s", got)
	}
	if got := s.statuses(1, "/nowhere", key); got != "404" {
		t.Errorf("another route: %s", got)
	}
}

// Several policies are decided on together, and a dry run only says what it would do.
func TestDryRun(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s := serve(t, quotaTables, func(c *slipstream.Config) {
		c.AccessLog, c.LogLevel, c.AdminServerPort = log, "info", slipstream.AnyPort
		c.Limits = []slipstream.RateLimit{{Name: "later", Quota: 1, Window: day, DryRun: true}, {Name: "now", Quota: 3, Window: day}}
	})
	if got := s.statuses(4, "/item"); got != "200 200 200 429" {
		t.Error(got)
	}
	if a := s.get("/item"); len(a.service(t)) != 1 {
		t.Errorf("a dry run is told: %v", a.service(t))
	}
	a, err := s.client.Get("http://" + s.AdminAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	metrics := readAll(t, a)
	for _, line := range []string{
		`slipstream_ratelimit_decisions_total{outcome="would_refuse",policy="later"} 4`, `slipstream_ratelimit_decisions_total{outcome="allowed",policy="later"} 1`,
		`slipstream_ratelimit_decisions_total{outcome="refused",policy="now"} 2`, `slipstream_ratelimit_requests_total{store="local"} `,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s", line)
		}
	}
	eventually(t, "the log has it", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), `"code":"SLIP210","limit":"now","limit_dry_run":"later"`)
	})
}

// What is known of an address comes before the token, and a refused token counts.
func TestQuotasBeforeTheToken(t *testing.T) {
	s := serve(t, quotaTables, func(c *slipstream.Config) {
		c.ServerTrustedProxies = []string{"127.0.0.1"}
		c.Limits = []slipstream.RateLimit{
			{Name: "per-address", By: []string{"ip"}, Quota: 4, Window: day},
			{Name: "bad-tokens", By: []string{"ip"}, Count: "failed-tokens", Quota: 2, Window: day},
		}
	})
	const bad = "Authorization: Bearer x.y.z"
	from := func(address string) string { return "X-Forwarded-For: 203.0.113.9, " + address }
	if got := s.statuses(3, "/item", bad, from("198.51.100.1")); got != "401 401 429" {
		t.Errorf("bad tokens: %s", got)
	}
	good := s.bearer()
	if got := s.statuses(1, "/item", good, from("198.51.100.1")); got != "429" {
		t.Errorf("a good token from there: %s", got)
	}
	if got := s.statuses(3, "/item", from("198.51.100.1")); got != "200 200 429" {
		t.Errorf("no token, after two bad ones: %s", got)
	}
	if a := s.get("/item", bad, from("198.51.100.1")); a.StatusCode != 429 {
		t.Errorf("the quota of an address comes after the token: %d", a.StatusCode)
	}
	if got := s.statuses(5, "/item", good, from("198.51.100.2")); got != "200 200 200 200 429" {
		t.Errorf("from elsewhere: %s", got)
	}
}

// Who sends no token has none that fails.
func TestNoTokenIsNoFailedToken(t *testing.T) {
	s := serve(t, quotaTables, func(c *slipstream.Config) {
		c.DBAnonRole = ""
		c.Limits = []slipstream.RateLimit{{Name: "bad-tokens", By: []string{"ip"}, Count: "failed-tokens", Quota: 1, Window: day}}
	})
	if got := s.statuses(3, "/item"); got != "401 401 401" {
		t.Error(got)
	}
	if got := s.statuses(2, "/item", "Authorization: Bearer x.y.z"); got != "401 429" {
		t.Error(got)
	}
}

// A batch costs what its operations cost, and one for itself.
func TestQuotasOfBatches(t *testing.T) {
	s := limited(t, slipstream.RateLimit{Name: "api", Quota: 10, Window: day, Burst: 7}, slipstream.RateLimit{Name: "items", Routes: []string{"/item"}, Quota: 5, Window: day})
	batch := func(n int) answer {
		operations := strings.Repeat(`{"method": "GET", "path": "/item"},`, n)
		r, err := http.NewRequest(http.MethodPost, "http://"+s.Addr()+"/", strings.NewReader(`{"operations": [`+strings.TrimSuffix(operations, ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/vnd.slipstream.batch+json")
		return s.do(r)
	}
	if a := batch(4); a.StatusCode != 200 || a.service(t)["items"]["r"] != 1 || a.service(t)["api"]["r"] != 2 {
		t.Errorf("%d %v", a.StatusCode, a.service(t))
	}
	if a := batch(2); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := batch(8); a.StatusCode != 429 || a.Header.Get("Retry-After") != "" || !strings.Contains(a.body, "This costs 8, which is never there at once") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// Hits are counted, and each has fields of its own.
func TestQuotasCountHits(t *testing.T) {
	s := serve(t, quotaTables, func(c *slipstream.Config) {
		c.CacheMode, c.Relations = "ttl", map[string]slipstream.RelationGuards{"item": {Cache: new("ttl"), CacheTTL: new(time.Hour)}}
		c.Limits = []slipstream.RateLimit{{Name: "api", Quota: 1000, Window: day}}
	})
	hits, left := 0, int64(1000)
	eventually(t, "there are hits", func() bool {
		a := s.get("/item")
		if strings.Contains(a.Header.Get("Cache-Status"), "hit") {
			hits++
		}
		if left--; a.service(t)["api"]["r"] != left {
			t.Fatalf("%v, want %d left", a.service(t), left)
		}
		return hits == 3
	})
}

func TestBrowsersMaySeeTheFields(t *testing.T) {
	s := limited(t, slipstream.RateLimit{Name: "api", Quota: 1, Window: day})
	for range 2 {
		if got := s.get("/item", "Origin: https://example.com").Header.Get("Access-Control-Expose-Headers"); !strings.HasSuffix(got, ", RateLimit, RateLimit-Policy, Retry-After") {
			t.Error(got)
		}
	}
}

// What was counted outlives a change of other policies.
func TestReloadedLimits(t *testing.T) {
	s := limited(t, slipstream.RateLimit{Name: "api", Quota: 3, Window: day}, slipstream.RateLimit{Name: "other", Quota: 5, Window: day})
	s.statuses(2, "/item")
	config := s.config
	config.Limits = []slipstream.RateLimit{{Name: "other", Quota: 6, Window: day}, {Name: "api", Quota: 3, Window: day, Routes: []string{"/item"}}}
	if err := s.ReloadConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if a := s.get("/item"); a.service(t)["api"]["r"] != 0 || a.service(t)["other"]["r"] != 5 {
		t.Errorf("%v", a.service(t))
	}
	config.Limits = nil
	if err := s.ReloadConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	s.get("/item").check(t, 200, "*", "RateLimit:")
}

func readAll(t testing.TB, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Two servers on one Redis never admit more than the quota, with clients on many connections. The Redis is killed in the
// middle: requests go on under what is left for each; and it is asked again when it is back.
func TestServersShareAQuota(t *testing.T) {
	const quota = 200
	server := redistest.Start(t)
	s := newSite(t, quotaTables)
	s.config.RedisURL, s.config.CacheMode, s.config.DBPool = server.URL(), "off", 2
	s.config.LimitsTimeout = 10 * time.Second // which only a dead server exceeds
	s.config.AdminServerPort = slipstream.AnyPort
	s.config.Limits = []slipstream.RateLimit{{Name: "item", Routes: []string{"/item"}, Quota: quota, Window: day}}
	var all [2]*site
	for i := range all {
		one := *s
		one.run()
		one.ready()
		all[i] = &one
	}
	both := func(what string, done func(s *site) bool) {
		t.Helper()
		eventually(t, what, func() bool { return done(all[0]) && done(all[1]) })
	}
	both("they know of each other", func(s *site) bool { return s.metric("slipstream_ratelimit_instances") == "2" })
	var admitted atomic.Int64
	load := func(ctx context.Context, requests int) {
		var clients sync.WaitGroup
		for c := range 8 {
			clients.Go(func() {
				for i := range requests {
					if ctx.Err() != nil {
						return
					}
					switch a := all[(c+i)%2].get("/item"); a.StatusCode {
					case http.StatusOK:
						admitted.Add(1)
					case http.StatusTooManyRequests:
					default:
						t.Errorf("%s %s", a.Status, a.body)
					}
				}
			})
		}
		clients.Wait()
	}
	load(t.Context(), quota/2/8)
	if n := admitted.Load(); n != quota/2/8*8 {
		t.Errorf("%d of %d are admitted", n, quota/2)
	}
	server.Kill()
	load(t.Context(), 5)
	if n := admitted.Load(); n != quota/2/8*8+40 {
		t.Errorf("%d are admitted after the Redis was killed", n)
	}
	if all[0].metric(`slipstream_ratelimit_requests_total{store="fallback"}`) == "0" {
		t.Error("nothing was decided under the local share")
	}
	server.Restart()
	both("the counts are shared again", func(s *site) bool {
		before := s.metric(`slipstream_ratelimit_requests_total{store="shared"}`)
		a := s.get("/item")
		if a.StatusCode == http.StatusOK {
			admitted.Add(1)
		}
		return a.StatusCode == http.StatusTooManyRequests || s.metric(`slipstream_ratelimit_requests_total{store="shared"}`) != before
	})
	load(t.Context(), quota/2)
	// Each of them may not have heard of what the other's requests under way took when the Redis died.
	if n := admitted.Load(); n > quota+16 || n < quota/2 {
		t.Errorf("%d of %d are admitted", n, quota)
	}
}

// metric is a value out of /metrics.
func (s *site) metric(name string) string {
	s.t.Helper()
	r, err := s.client.Get("http://" + s.AdminAddr() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	for line := range strings.Lines(readAll(s.t, r)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}
