package slipstream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream"
)

// What the file says can be said in any other place, too, and what is printed can be read again.
func TestLimitsFromAnySource(t *testing.T) {
	want := []slipstream.RateLimit{
		{Name: "per-user", By: []string{"sub"}, Quota: 100, Window: time.Minute, Burst: 20},
		{Name: "exports", By: []string{"ip", "header:X-Api-Key"}, Routes: []string{"/big_*", "/a"}, Methods: []string{"GET"}, Roles: []string{"anon"},
			Quota: 10, Window: time.Hour, Cost: map[string]int{"/big_report": 5}, DryRun: true},
		{Name: "bad-tokens", By: []string{"ip"}, Count: "failed-tokens", Quota: 20, Window: 1500 * time.Millisecond},
	}
	const text = `[{"name": "per-user", "by": "sub", "quota": 100, "window": "1m", "burst": 20},
		{"name": "exports", "by": ["ip", "header:X-Api-Key"], "routes": ["/big_*", "/a"], "methods": "GET", "roles": ["anon"], "quota": 10, "window": 3600, "cost": {"/big_report": 5}, "dry-run": true},
		{"name": "bad-tokens", "by": "ip", "count": "failed-tokens", "quota": 20, "window": "1500ms"}]`
	line := strings.ReplaceAll(text, "\n\t\t", " ")
	for name, sources := range map[string]slipstream.Sources{
		"YAML": {File: writeFile(t, "c.yaml", `
limits:
  - {name: per-user, by: sub, quota: 100, window: 1m, burst: 20}
  - name: exports
    by: [ip, header:X-Api-Key]
    routes: [/big_*, /a]
    methods: [GET]
    roles: anon
    quota: 10
    window: 1h
    cost:
      /big_report: 5
    dry-run: true
  - name: bad-tokens
    by: ip
    count: failed-tokens
    quota: 20
    window: 1500ms
`)},
		"JSON":          {File: writeFile(t, "c.json", `{"limits": `+text+`}`)},
		"text in YAML":  {File: writeFile(t, "c.yaml", "limits: '"+line+"'")},
		"PostgREST's":   {File: writeFile(t, "c.conf", `limits = "`+strings.ReplaceAll(line, `"`, `\"`)+`"`)},
		"variable":      {Env: []string{"SLIPSTREAM_LIMITS=" + text}},
		"flag":          {Flags: map[string][]string{"limits": {text}}},
		"over the file": {File: writeFile(t, "c.yaml", "limits: [{name: a, quota: 1, window: 1}]"), Env: []string{"SLIPSTREAM_LIMITS=" + text}},
	} {
		c, warnings, err := slipstream.Load(sources)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", name, err, warnings)
			continue
		}
		if diff := cmp.Diff(want, c.Limits); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		again := loadFile(t, writeFile(t, "dump.yaml", c.WithDefaults().YAML()))
		if diff := cmp.Diff(want, again.Limits); diff != "" {
			t.Errorf("%s, printed: %s", name, diff)
		}
		if err := compileSchema(t).Validate(decode(t, c.WithDefaults().YAML())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, content := range []string{"limits:", "limits: ''", "limits: []", "limits: '[]'"} {
		if c := loadFile(t, writeFile(t, "c.yaml", content)); len(c.Limits) > 0 {
			t.Errorf("%s: %v", content, c.Limits)
		}
	}
}

// Each mistake is told with its place and its remedy.
func TestWrongLimits(t *testing.T) {
	const fields = "name, by, quota, window, burst, routes, methods, roles, cost, count, dry-run"
	for text, want := range map[string]string{
		"{name: a}":                                                            "2:3: limits: write a list of policies, such as [{name: per-user, by: sub, quota: 100, window: 1m}]",
		"- 5":                                                                  "2:5: limits: policy 1: write a mapping, such as {name: per-user, by: sub, quota: 100, window: 1m}",
		"- {name: a, qota: 5}":                                                 "2:15: limits: a: qota: there is no such field; write " + fields,
		"- {name: a, quota: many}":                                             `2:22: limits: a: quota: "many" is not a whole number`,
		"- {name: a, quota: 0}":                                                "2:22: limits: a: quota: 0 is too small; write at least 1",
		"- {quota: 1, window: 1}":                                              `limits: policy 1: name is ""; write up to 64 letters, digits and -_., such as per-user`,
		"- {name: 'a b', quota: 1}":                                            `limits: a b: name is "a b"; write`,
		"- {name: a, window: 1}":                                               "limits: a: quota is missing; write",
		"- {name: a, quota: 1}":                                                "limits: a: window is missing; write",
		"- {name: a, quota: 1, window: x}":                                     `limits: a: window: "x" is not a duration`,
		"- {name: a, quota: 2000000, window: 1}":                               "limits: a: quota is 2000000 in 1s; write at most a million in a second",
		"- {name: a, quota: 1, window: 1, by: user}":                           `limits: a: by: "user" is not known; write ip, sub, role, claim:NAME, header:NAME, route or method`,
		"- {name: a, quota: 1, window: 1, routes: [orders]}":                   `limits: a: "orders" is no route; write a path such as /orders`,
		"- {name: a, quota: 1, window: 1, routes: [/a*b]}":                     `limits: a: "/a*b" is no route; write`,
		"- {name: a, quota: 1, window: 1, methods: [get]}":                     `limits: a: methods: "get" is not known; write GET`,
		"- {name: a, quota: 1, window: 1, cost: 5}":                            "2:42: limits: a: cost: write a mapping of routes to costs",
		"- {name: a, quota: 1, window: 1, cost: {/a: b}}":                      `limits: a: cost: /a: "b" is not a whole number`,
		"- {name: a, quota: 1, window: 1, cost: {/a: 0}}":                      "limits: a: cost: /a: 0 is too small; write at least 1",
		"- {name: a, quota: 9, window: 1, burst: 3, cost: {/a: 4}}":            "limits: a: cost: /a takes 4, and at most 3 are there at once; raise burst, or lower the cost",
		"- {name: a, quota: 1, window: 1, count: all}":                         `limits: a: count: "all" is not known; write requests, failed-tokens`,
		"- {name: a, quota: 1, window: 1, count: failed-tokens, by: sub}":      "limits: a: by: a refused token says nothing about sub; write by: ip",
		"- {name: a, quota: 1, window: 1, count: failed-tokens, roles: [x]}":   "limits: a: roles: a refused token has no role; leave roles out",
		"- {name: a, quota: 1, window: 1}\n  - {name: a, quota: 1, window: 1}": "3:5: limits: a: there are two of that name; rename one",
	} {
		_, _, err := slipstream.Load(slipstream.Sources{File: writeFile(t, "c.yaml", "limits:\n  "+text)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "c.yaml:") {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
	c := slipstream.Config{Limits: []slipstream.RateLimit{{Name: "a", By: []string{"ip"}, Quota: 1, Window: time.Second}}, ServerUnixSocket: "/run/x"}
	if err := c.Validate(); err == nil || err.Error() != "limits: a: by a Unix socket clients have no addresses; add unix to server-trusted-proxies if a proxy says them" {
		t.Error(err)
	}
	c.ServerTrustedProxies = []string{"unix", "10.0.0.0/33"}
	if err := c.Validate(); err == nil || err.Error() != `server-trusted-proxies: "10.0.0.0/33" is neither an address nor a network; write 10.1.2.3, 10.0.0.0/8, 2001:db8::/32 or unix` {
		t.Error(err)
	}
}
