package request_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

func TestLimits(t *testing.T) {
	limited := settings
	limited.Limits = request.Limits{Depth: 3, Conditions: 4, Fields: 5, Embeds: 3}
	tests := []struct {
		query, limit string
	}{
		{"select=a(b(c(d)))", ""},
		{"select=a(b(c(d(e))))", "depth"},
		{"select=...a(...b(...c(...d(e))))", "depth"},
		{"or=(and(or(a.eq.1)))", ""},
		{"or=(and(or(and(a.eq.1))))", "depth"},
		{"a=eq.1&b=eq.1&c=eq.1&d=eq.1", ""},
		{"a=eq.1&b=eq.1&c=eq.1&d=eq.1&e=eq.1", "conditions"},
		{"or=(a.eq.1,b.eq.1,c.eq.1)", ""},
		{"or=(a.eq.1,b.eq.1,c.eq.1)&d=eq.1", "conditions"},
		{"select=a,b,c,d,e", ""},
		{"select=a,b,c,d,e,f", "fields"},
		{"select=a,b(c,d),e,f", "fields"},
		{"select=a(),b(),...c()", ""},
		{"select=a(),b(c(),d())", "embeds"},
		{"select=a,b,c&order=d,e,f", "fields"},
		{"columns=a,b,c,d,e,f", "fields"},
	}
	for _, tt := range tests {
		_, err := request.Parse("GET", parseURL(t, "/items?"+tt.query), nil, limited)
		if tt.limit == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.query, err)
			}
			continue
		}
		e := apierr.From(err)
		if e == nil || e.Code != "SLIP103" || e.HTTPStatus() != 400 || !strings.Contains(e.Hint, tt.limit) {
			t.Errorf("%s: %+v, want a refusal for %s", tt.query, e, tt.limit)
		}
	}
	if _, err := request.Parse("GET", parseURL(t, "/rpc/f?a=1&b=1&c=1&d=1&e=1"), nil, limited); apierr.From(err) == nil {
		t.Error("arguments are not counted")
	}
}

// However deep a query nests, the default limits refuse it before the stack grows.
func TestDeepNestingIsRefused(t *testing.T) {
	const depth = 1_000_000
	for _, query := range []string{
		"select=" + strings.Repeat("a(", depth),
		"select=" + strings.Repeat("a(", depth) + strings.Repeat(")", depth),
		"or=(" + strings.Repeat("and(", depth),
		"or=(" + strings.Repeat("not.and(", depth) + "a.eq.1" + strings.Repeat(")", depth) + ")",
	} {
		_, err := request.Parse("GET", parseURL(t, "/items?"+query), nil, settings)
		if e := apierr.From(err); e == nil || e.Code != "SLIP103" {
			t.Errorf("%s...: %v", query[:20], err)
		}
	}
}

func TestRestrict(t *testing.T) {
	tests := []struct {
		window request.Window
		most   int64
		want   request.Window
	}{
		{request.Window{Limit: request.NoLimit}, 10, request.Window{Limit: 10}},
		{request.Window{Limit: request.NoLimit, Offset: 5}, 10, request.Window{Limit: 10, Offset: 5}},
		{request.Window{Limit: 20, Offset: 5}, 10, request.Window{Limit: 10, Offset: 5}},
		{request.Window{Limit: 3}, 10, request.Window{Limit: 3}},
		{request.Window{Limit: 0}, 10, request.Window{Limit: 0}},
		{request.Window{Limit: request.NoLimit}, 0, request.Window{Limit: request.NoLimit}},
	}
	for _, tt := range tests {
		got := tt.window.Restrict(tt.most)
		if got.Limit != tt.want.Limit || got.Offset != tt.want.Offset {
			t.Errorf("%+v restricted to %d is %+v, want %+v", tt.window, tt.most, got, tt.want)
		}
	}
	if !(request.Window{Limit: request.NoLimit}).All() || (request.Window{Limit: request.NoLimit, Offset: 1}).All() || (request.Window{}).All() {
		t.Error("All does not tell whether a window leaves rows out")
	}
}

func TestApplied(t *testing.T) {
	tests := []struct{ prefer, want string }{
		{"", ""},
		{"count=exact", "count=exact"},
		{"tx=commit, timezone=UTC, handling=lenient, count=planned, return=minimal, missing=null, resolution=merge-duplicates",
			"resolution=merge-duplicates, missing=null, return=minimal, count=planned, tx=commit, handling=lenient, timezone=UTC"},
		{"max-affected=5", ""},
		{"max-affected=5, handling=strict", "handling=strict, max-affected=5"},
		{"pagination=cursor, count=exact", "count=exact, pagination=cursor"},
		{"anything", ""},
	}
	for _, tt := range tests {
		r, err := request.Parse("GET", parseURL(t, "/items"), http.Header{"Prefer": {tt.prefer}}, settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Prefer.Applied(); got != tt.want {
			t.Errorf("%q: applied %q, want %q", tt.prefer, got, tt.want)
		}
	}
}

func TestMediaTypesAreNamed(t *testing.T) {
	tests := []struct{ accept, name, contentType string }{
		{"application/json", "application/json", "application/json; charset=utf-8"},
		{"application/vnd.pgrst.array", "application/json", "application/json; charset=utf-8"},
		{"application/vnd.pgrst.array;nulls=stripped", "application/vnd.pgrst.array+json;nulls=stripped", "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8"},
		{"application/vnd.pgrst.object", "application/vnd.pgrst.object+json", "application/vnd.pgrst.object+json; charset=utf-8"},
		{"application/vnd.pgrst.object;nulls=stripped", "application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8"},
		{"text/csv", "text/csv", "text/csv; charset=utf-8"},
		{"*/*", "*/*", "*/*; charset=utf-8"},
		{"application/octet-stream", "application/octet-stream", "application/octet-stream"},
		{"application/x-ndjson", "application/x-ndjson", "application/x-ndjson"},
		{"image/png", "image/png", "image/png"},
		{"text/unknown; charset=utf-8", "text/unknown;charset=utf-8", "text/unknown;charset=utf-8"},
		{"application/vnd.pgrst.plan", `application/vnd.pgrst.plan+text; for="application/json"`, `application/vnd.pgrst.plan+text; for="application/json"; charset=utf-8`},
		{`application/vnd.pgrst.plan+json;options=wal|analyze;for="text/csv"`, `application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|wal`, `application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|wal; charset=utf-8`},
	}
	for _, tt := range tests {
		r, err := request.Parse("GET", parseURL(t, "/items"), http.Header{"Accept": {tt.accept}}, settings)
		if err != nil {
			t.Fatal(err)
		}
		if m := r.Accept[0]; m.String() != tt.name || m.ContentType() != tt.contentType {
			t.Errorf("%s: %q, %q, want %q, %q", tt.accept, m, m.ContentType(), tt.name, tt.contentType)
		}
	}
}
