package openapi_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// FuzzDocuments holds that whatever names, comments, types and expressions a database has, both documents are JSON that
// says the same names, and every reference of 3.1 leads somewhere.
func FuzzDocuments(f *testing.F) {
	f.Add("film", "id", "A film\nOr two", "integer", "1")
	f.Add("Odd ~/{Näme}", "select", `"quoted" \ back`, "text", `'it''s'::text`)
	f.Add("a-b", "a.b", "\x00\x01\x1f\u2028", `"my schema"."type"[]`, "now()")
	f.Add("%2F", "\xff", "", "[]", `"`)
	f.Add("", "", "\n", "", "'")
	f.Fuzz(func(t *testing.T, name, column, comment, typ, expression string) {
		d := openapi.Description{
			Snapshot: &schema.Snapshot{}, Schema: "api", Comment: comment, Version: "1",
			Relations: []*schema.Relation{{
				Name: schema.Name{Schema: "api", Name: name}, Description: comment,
				Insertable: true, Updatable: true, Deletable: true, PrimaryKey: []string{column},
				Columns: []schema.Column{{Name: column, Type: typ, Default: expression, Description: comment}},
			}},
			Functions: []*schema.Function{{
				Name: schema.Name{Schema: "api", Name: name}, Description: comment, Volatility: schema.Stable,
				Params:  []schema.Param{{Name: column, Type: typ, Variadic: len(comment)%2 == 0, Required: true}},
				Returns: schema.Return{Type: schema.Name{Schema: "api", Name: typ}},
			}},
		}
		valid := strings.ToValidUTF8(name, string(utf8.RuneError))
		v2 := decode(t, openapi.Document2(d))
		if utf8.ValidString(name) && at(v2, "definitions", valid) == nil {
			t.Errorf("2.0: no definition of %q", name)
		}
		document := openapi.Document31(d)
		v31 := decode(t, document)
		walk(v31, func(object map[string]any) {
			if ref, ok := object["$ref"].(string); ok && resolve(v31, ref) == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		})
		if !bytes.Equal(document, openapi.Document31(d)) {
			t.Error("3.1: equal input, other bytes")
		}
	})
}

// Components of differently named relations never share a key.
func FuzzComponentKeys(f *testing.F) {
	f.Add("a.insert", "a")
	f.Add("a-2E", "a.")
	f.Add("ä", "-C3-A4")
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == b {
			return
		}
		d := openapi.Description{Snapshot: &schema.Snapshot{}, Schema: "api"}
		for _, name := range []string{a, b} {
			d.Relations = append(d.Relations, &schema.Relation{
				Name: schema.Name{Schema: "api", Name: name}, Insertable: true, Updatable: true,
				Columns: []schema.Column{{Name: "c"}},
			})
		}
		doc := decode(t, openapi.Document31(d))
		if got := len(at(doc, "components", "schemas").(map[string]any)); got != 6 {
			t.Errorf("%q and %q have %d schemas, want 6", a, b, got)
		}
	})
}
