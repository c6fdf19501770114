package openapi_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/openapi"
)

func TestCalls31(t *testing.T) {
	doc := decode(t, openapi.Document31(describeLibrary(t, library(t))))
	const result, body = "result", "body"
	for _, c := range []struct{ function, part, media, want string }{
		{"sum", result, "application/json", `{"anyOf":[{"format":"int32","type":["integer","null"]},{"type":["number","null"]}]}`},
		{"books_of", result, "application/json", `{"items":{"$ref":"#/components/schemas/book"},"type":"array"}`},
		{"cheer", result, "application/json", `{"items":{"properties":{"mood":{"enum":["sad","ok","happy",null],"type":["string","null"]},` +
			`"name":{"type":["string","null"]}},"type":"object"},"type":"array"}`},
		{"lend", result, "application/json", `null`},
		{"ingest", result, "application/json", `{}`},
		{"read", result, "application/json", `{"items":{"type":["string","null"]},"type":["array","null"]}`},
		{"ingest", body, "application/json", `{}`},
		{"scan", body, "application/octet-stream", `{}`},
		{"read", body, "text/xml", `{"type":"string"}`},
		{"shout", body, "text/plain", `{"type":"string"}`},
		{"lend", body, "application/json", `{"properties":{"book":{"format":"int64","type":["integer","null"]},"note":{}},"required":["book"],"type":"object"}`},
	} {
		schemaOf := at(doc, "paths", "/rpc/"+c.function, "post", "requestBody", "content", c.media, "schema")
		if c.part == result {
			schemaOf = at(doc, "components", "responses", "rpc."+c.function+".result", "content", c.media, "schema")
		}
		got, err := json.Marshal(schemaOf)
		if err != nil || string(got) != c.want {
			t.Errorf("%s %s: %s\nwant %s", c.function, c.part, got, c.want)
		}
	}
}

func TestCallParameters31(t *testing.T) {
	doc := decode(t, openapi.Document31(describeLibrary(t, library(t))))
	parameter := func(function, name string) any {
		list, _ := at(doc, "paths", "/rpc/"+function, "get", "parameters").([]any)
		for _, p := range list {
			if ref, ok := at(p, "$ref").(string); ok {
				p = resolve(doc, ref)
			}
			if at(p, "name") == name {
				return p
			}
		}
		return nil
	}
	for _, c := range []struct {
		function, name string
		required       any
		schema         map[string]any
	}{
		{"sum", "a", true, map[string]any{"type": "integer", "format": "int32"}},
		{"sum", "c", nil, map[string]any{"type": "number"}},
		{"cheer", "m", true, map[string]any{"type": "string", "enum": []any{"sad", "ok", "happy"}}},
		{"cheer", "names", nil, map[string]any{"type": "array", "items": map[string]any{"type": []any{"string", "null"}}}},
		{"moved", "which", true, map[string]any{"type": "string", "format": "integer[]"}},
		{"books_of", "title", nil, map[string]any{"type": "string", "examples": []any{"eq.value", "not.is.null"}}},
	} {
		p := parameter(c.function, c.name)
		if diff := cmp.Diff(any(c.schema), at(p, "schema")); diff != "" || at(p, "required") != c.required {
			t.Errorf("%s of %s: required %v (-want +got):\n%s", c.name, c.function, at(p, "required"), diff)
		}
	}
	if parameter("read", "") != nil {
		t.Error("an unnamed parameter is in the query string")
	}
}
