package slipstream_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const openAPISchema = `
comment on schema api is E'A library\nOf books.';
create table books (id int primary key, title text not null);
create table secrets (id int primary key);
revoke select on secrets from ANON;`

// describe fetches / and gives its document.
func describe(t *testing.T, s *site, header ...string) (answer, map[string]any) {
	t.Helper()
	a := s.get("/", header...)
	var doc map[string]any
	if a.StatusCode == http.StatusOK {
		if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
			t.Fatalf("%v in %.200s", err, a.body)
		}
	}
	return a, doc
}

func TestRootDescribesWhatTheCallerMayUse(t *testing.T) {
	s := serve(t, openAPISchema)
	a, doc := describe(t, s)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/openapi+json; charset=utf-8" || doc["swagger"] != "2.0" {
		t.Fatalf("%d %v %.100s", a.StatusCode, a.Header, a.body)
	}
	if title := doc["info"].(map[string]any)["title"]; title != "A library" {
		t.Errorf("title %q", title)
	}
	if strings.Contains(a.body, "secrets") || !strings.Contains(a.body, "/books") {
		t.Error("an anonymous caller is not shown just what they may use")
	}
	if a, _ := describe(t, s, s.bearer()); !strings.Contains(a.body, "/secrets") {
		t.Error("a member is not shown what they may use")
	}
	if a, _ := describe(t, s); strings.Contains(a.body, "secrets") {
		t.Error("an anonymous caller is shown what a member may use")
	}
}

func TestRootFollowsTheSchema(t *testing.T) {
	s := serve(t, openAPISchema)
	describe(t, s)
	s.exec("create table api.shelves (id int primary key)")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, _ := describe(t, s); !strings.Contains(a.body, "/shelves") {
		t.Error("a new table is not described after a reload")
	}
}

func TestRootIn31(t *testing.T) {
	s := serve(t, openAPISchema)
	for _, accept := range []string{"application/openapi+json;version=3.1", `application/vnd.oai.openapi+json; version="3.1"`} {
		a, doc := describe(t, s, "Accept: "+accept)
		if version, _ := doc["openapi"].(string); !strings.HasPrefix(version, "3.1") || a.Header.Get("Content-Type") != "application/openapi+json; version=3.1; charset=utf-8" {
			t.Errorf("%s gives %v, openapi %q", accept, a.Header, version)
		}
	}
}

func TestRootRefuses(t *testing.T) {
	s := serve(t, openAPISchema)
	if a := s.get("/", "Accept: text/csv"); a.StatusCode != http.StatusNotAcceptable || !strings.Contains(a.body, "PGRST107") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	s = serve(t, openAPISchema, func(c *slipstream.Config) { c.OpenAPIMode = "disabled" })
	if a := s.get("/"); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, "PGRST126") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestRootIgnoringPrivileges(t *testing.T) {
	s := serve(t, openAPISchema, func(c *slipstream.Config) {
		c.OpenAPIMode, c.OpenAPISecurityActive, c.OpenAPIServerProxyURI = "ignore-privileges", true, "https://example.com/base"
	})
	a, doc := describe(t, s)
	if !strings.Contains(a.body, "/secrets") || doc["basePath"] != "/base" || doc["securityDefinitions"] == nil {
		t.Errorf("%.300s", a.body)
	}
}
