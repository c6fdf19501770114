package openapi_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi/datamodel"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func TestDocument31(t *testing.T) {
	d := describeLibrary(t, library(t))
	golden(t, "openapi31.json", openapi.Document31(d))
}

// parse is JSON as the validator wants it.
func parse(t testing.TB, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The documents conform to the schemas that the OpenAPI Initiative publishes.
func TestDocumentsAreValid(t *testing.T) {
	d := describeLibrary(t, library(t))
	for _, c := range []struct {
		version, specification string
		document               []byte
	}{
		{"2.0", datamodel.OpenAPI2SchemaData, openapi.Document2(d)},
		{"3.1", datamodel.OpenAPI31SchemaData, openapi.Document31(d)},
		{"2.0 of nothing", datamodel.OpenAPI2SchemaData, openapi.Document2(openapi.Description{Server: d.Server})},
		{"3.1 of nothing", datamodel.OpenAPI31SchemaData, openapi.Document31(openapi.Description{Server: d.Server})},
	} {
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("https://example.org/specification", parse(t, c.specification)); err != nil {
			t.Fatal(err)
		}
		specification, err := compiler.Compile("https://example.org/specification")
		if err != nil {
			t.Fatal(err)
		}
		if err := specification.Validate(parse(t, string(c.document))); err != nil {
			t.Errorf("%s: %v", c.version, err)
		}
	}
}

// walk calls visit for every object of a document.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, member := range v {
			walk(member, visit)
		}
	case []any:
		for _, element := range v {
			walk(element, visit)
		}
	}
}

// resolve follows a reference within the document.
func resolve(doc map[string]any, ref string) any {
	pointer, local := strings.CutPrefix(ref, "#/")
	if !local {
		return nil
	}
	var path []any
	for step := range strings.SplitSeq(pointer, "/") {
		path = append(path, step)
	}
	return at(doc, path...)
}

func TestReferencesResolve(t *testing.T) {
	d := describeLibrary(t, library(t))
	doc := decode(t, openapi.Document31(d))
	walk(doc, func(object map[string]any) {
		if ref, ok := object["$ref"].(string); ok && resolve(doc, ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
	key := regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	for kind, components := range at(doc, "components").(map[string]any) {
		for name := range components.(map[string]any) {
			if !key.MatchString(name) {
				t.Errorf("components/%s/%s: a name that components may not have", kind, name)
			}
		}
	}
}

// What the published schema cannot express.
func TestOperationsAreUnambiguous(t *testing.T) {
	doc := decode(t, openapi.Document31(describeLibrary(t, library(t))))
	operations := make(map[string]bool)
	for path, item := range at(doc, "paths").(map[string]any) {
		if strings.ContainsAny(path, "{} ?#") {
			t.Errorf("%s: not a path", path)
		}
		for method, operation := range item.(map[string]any) {
			id := at(operation, "operationId").(string)
			if operations[id] {
				t.Errorf("%s %s: another operation is %s", method, path, id)
			}
			operations[id] = true
			parameters, _ := at(operation, "parameters").([]any)
			seen := make(map[string]bool)
			for _, p := range parameters {
				if ref, ok := at(p, "$ref").(string); ok {
					p = resolve(doc, ref)
				}
				identity := fmt.Sprint(at(p, "in"), " ", at(p, "name"))
				if seen[identity] {
					t.Errorf("%s %s has two parameters in %s", method, path, identity)
				}
				seen[identity] = true
			}
		}
	}
}

// validator compiles a schema of a document; formats count.
func validator(t *testing.T, document []byte, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("https://example.org/api", parse(t, string(document))); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://example.org/api#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What PostgreSQL makes of real rows conforms to what the document says of them.
func TestRowsConform(t *testing.T) {
	conn := library(t)
	d := describeLibrary(t, conn)
	document := openapi.Document31(d)
	for _, r := range d.Relations {
		key := componentOf(t, document, "/"+r.Name.Name)
		rowSchema := validator(t, document, "/components/schemas/"+key)
		rows, err := conn.Query(t.Context(), `select to_json(t)::text from library."`+r.Name.Name+`" t`)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			if err := rowSchema.Validate(parse(t, row)); err != nil {
				t.Errorf("%s: %s: %v", key, row, err)
			}
		}
		if rows.Err() != nil || n == 0 {
			t.Errorf("%s: %d rows, %v", key, n, rows.Err())
		}
	}
}

// componentOf finds the schema of the rows of the path that unescapes to the given one.
func componentOf(t *testing.T, document []byte, path string) string {
	t.Helper()
	if strings.HasPrefix(path, "/Odd") {
		path = "/Odd%20~%2F%7BN%C3%A4me%7D"
	}
	id, ok := at(decode(t, document), "paths", path, "get", "operationId").(string)
	if !ok {
		t.Fatalf("no path %s", path)
	}
	return strings.TrimSuffix(id, ".read")
}

func TestSchemasRefuse(t *testing.T) {
	document := openapi.Document31(describeLibrary(t, library(t)))
	for _, c := range []struct {
		schema, value string
		ok            bool
	}{
		{"author.insert", `{"name": "x"}`, true},
		{"author.insert", `{}`, false},
		{"author.insert", `{"name": null}`, false},
		{"author.insert", `{"name": "x", "country": "NZL"}`, false},
		{"author.insert", `{"name": "x", "mood": "cross"}`, false},
		{"author.insert", `{"name": "x", "mood": null}`, false},
		{"author.insert", `{"name": "x", "best_mood": null}`, true},
		{"author.update", `{}`, true},
		{"author.update", `{"mood": "cross"}`, false},
		{"author.update", `{"born": "28 August"}`, false},
		{"author", `{"name": "x"}`, false},
		{"book.insert", `{"author_id": 1, "tags": ["a"]}`, true},
		{"book.insert", `{"author_id": 1.5}`, false},
		{"book.insert", `{"author_id": 1, "tags": "a"}`, false},
		{"book.insert", `{"author_id": 1, "added": "yesterday"}`, false},
	} {
		err := validator(t, document, "/components/schemas/"+c.schema).Validate(parse(t, c.value))
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.schema, c.value, err)
		}
	}
}

func TestWhatIsGeneratedIsNotWritten(t *testing.T) {
	doc := decode(t, openapi.Document31(describeLibrary(t, library(t))))
	schemas := at(doc, "components", "schemas")
	for _, column := range []string{"id", "shout"} {
		if at(schemas, "author", "properties", column, "readOnly") != true {
			t.Errorf("author.%s is not read-only", column)
		}
		for _, variant := range []string{"author.insert", "author.update"} {
			if at(schemas, variant, "properties", column) != nil {
				t.Errorf("%s has %s", variant, column)
			}
		}
	}
	if at(schemas, "book.insert", "properties", "id") == nil {
		t.Error("book.insert lacks id, which is GENERATED BY DEFAULT")
	}
}

// methods are what a path has.
func methods(doc map[string]any, path string) string {
	var b bytes.Buffer
	for _, m := range []string{"get", "post", "put", "patch", "delete"} {
		if at(doc, "paths", path, m) != nil {
			b.WriteString(m + " ")
		}
	}
	return strings.TrimSpace(b.String())
}

func TestMethods(t *testing.T) {
	d := openapi.Description{Snapshot: &schema.Snapshot{}, Schema: "api"}
	add := func(name string, insertable, updatable, deletable bool, key ...string) {
		d.Relations = append(d.Relations, &schema.Relation{
			Name: schema.Name{Schema: "api", Name: name}, Insertable: insertable, Updatable: updatable, Deletable: deletable, PrimaryKey: key,
		})
	}
	add("all", true, true, true, "id")
	add("keyless", true, true, true)
	add("append", true, false, false, "id")
	add("delete", false, false, true)
	add("read", false, false, false)
	for _, f := range []struct {
		name       string
		volatility schema.Volatility
	}{{"mixed", schema.Volatile}, {"mixed", schema.Stable}, {"stable", schema.Stable}, {"volatile", schema.Volatile}} {
		d.Functions = append(d.Functions, &schema.Function{Name: schema.Name{Schema: "api", Name: f.name}, Volatility: f.volatility})
	}
	v2, v31 := decode(t, openapi.Document2(d)), decode(t, openapi.Document31(d))
	for _, c := range []struct{ path, in2, in31 string }{
		{"/", "get", "get"},
		{"/all", "get post patch delete", "get post put patch delete"},
		{"/keyless", "get post patch delete", "get post patch delete"},
		{"/append", "get post patch delete", "get post"},
		{"/delete", "get post patch delete", "get delete"},
		{"/read", "get", "get"},
		{"/rpc/mixed", "get post", "get post"},
		{"/rpc/stable", "get post", "get post"},
		{"/rpc/volatile", "post", "post"},
	} {
		if got := methods(v2, c.path); got != c.in2 {
			t.Errorf("2.0 %s: %s, want %s", c.path, got, c.in2)
		}
		if got := methods(v31, c.path); got != c.in31 {
			t.Errorf("3.1 %s: %s, want %s", c.path, got, c.in31)
		}
	}
}

func TestSecurity(t *testing.T) {
	for _, active := range []bool{false, true} {
		doc := decode(t, openapi.Document31(openapi.Description{SecurityActive: active}))
		if got := at(doc, "components", "securitySchemes", "JWT", "scheme") == "bearer"; got != active {
			t.Errorf("active %v: scheme %v", active, got)
		}
		if got := doc["security"] != nil; got != active {
			t.Errorf("active %v: security %v", active, got)
		}
	}
}

// A schema that is not the default one has to be named by every request.
func TestProfile(t *testing.T) {
	d := describeLibrary(t, library(t))
	for _, profile := range []bool{false, true} {
		d.Profile = profile
		doc := decode(t, openapi.Document31(d))
		named := 0
		walk(at(doc, "paths"), func(object map[string]any) {
			header := at(resolve(doc, fmt.Sprint(object["$ref"])), "name")
			if header == "Accept-Profile" || header == "Content-Profile" {
				named++
			}
		})
		operations := 0
		for path, item := range at(doc, "paths").(map[string]any) {
			if path != "/" {
				operations += len(item.(map[string]any))
			}
		}
		if want := map[bool]int{true: operations}[profile]; named != want {
			t.Errorf("profile %v: %d of %d operations name the schema", profile, named, operations)
		}
		if got := at(doc, "components", "parameters", "acceptProfile", "schema", "const") == "library"; got != profile {
			t.Errorf("profile %v: the header's value", profile)
		}
	}
}
