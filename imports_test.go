package slipstream_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/slipstream-go/slipstream"

// mayImport is the architecture: which packages of this module each package may import. Every package may import
// internal/telemetry. A new edge is a design decision: make it here, in docs/architecture.md, and in one commit.
func mayImport() map[string][]string {
	return map[string][]string{
		".":                          {"cache", "limit", "jobs", "internal/*"},
		"cmd/slipstream":             {".", "internal/check", "internal/feed", "internal/idemkey", "internal/tstypes", "internal/devdb", "internal/devdb/shop", "internal/loadtest", "internal/loadtest/scenario", "internal/loadtest/report", "chaos", "internal/advise"},
		"cache":                      {},
		"chaos":                      {},
		"limit":                      {},
		"jobs":                       {"internal/pg"},
		"internal/advise":            {"internal/pg", "internal/schema"},
		"internal/apierr":            {},
		"internal/auth":              {"internal/apierr"},
		"internal/balance":           {},
		"internal/benchmark":         {"internal/devdb", "internal/devdb/shop", "internal/loadtest", "internal/loadtest/report", "internal/loadtest/scenario", "internal/loadtest/tiers", "internal/pg", "internal/plan", "internal/request", "internal/schema"},
		"internal/cdn":               {},
		"internal/check":             {"internal/feed", "internal/idemkey", "internal/pg", "internal/plan", "internal/schema"},
		"internal/console":           {},
		"internal/devdb":             {},
		"internal/devdb/shop":        {"internal/pg"},
		"internal/edge":              {"limit", "internal/auth", "internal/apierr"},
		"internal/events":            {"jobs", "internal/feed"},
		"internal/feed":              {"internal/pg"},
		"internal/gateway":           {"limit", "internal/auth", "internal/apierr"},
		"internal/httpcache":         {"cache", "limit", "internal/auth", "internal/apierr"},
		"internal/idemkey":           {"internal/pg"},
		"internal/loadtest":          {},
		"internal/loadtest/report":   {"internal/loadtest"},
		"internal/loadtest/scenario": {"internal/loadtest", "internal/nearest"},
		"internal/loadtest/tiers":    {"internal/loadtest"},
		"internal/nearest":           {},
		"internal/openapi":           {"internal/schema"},
		"internal/pg":                {"limit"},
		"internal/pgtest":            {"internal/devdb"},
		"internal/plan":              {"internal/request", "internal/schema", "internal/apierr"},
		"internal/priority":          {"limit", "internal/auth"},
		"internal/promises":          {},
		"internal/ratelimit":         {"limit", "internal/auth", "internal/apierr"},
		"internal/redis":             {"cache", "limit"},
		"internal/redistest":         {},
		"internal/replicas":          {"internal/balance", "internal/feed", "internal/pg", "limit"},
		"internal/request":           {"internal/apierr"},
		"internal/rest":              {"cache", "limit", "internal/request", "internal/plan", "internal/schema", "internal/openapi", "internal/pg", "internal/auth", "internal/apierr", "internal/idemkey"},
		"internal/schema":            {"internal/pg"},
		"internal/telemetry":         {},
		"internal/tstypes":           {"internal/pg", "internal/schema"},
		"internal/writetoken":        {"internal/pg"},
	}
}

const telemetry = "internal/telemetry"

// testServers are for test files only.
var testServers = []string{"internal/pgtest", "internal/redistest"}

// drivers are modules that only some packages may touch.
var drivers = map[string][]string{
	"github.com/jackc/pgx":     {"internal/pg", "internal/feed", "jobs", "internal/pgtest"},
	"github.com/redis/rueidis": {"internal/redis"},
}

func TestImports(t *testing.T) {
	allowed := mayImport()
	for dir, files := range productionFiles(t) {
		rule, known := allowed[dir]
		if !known {
			t.Errorf("%s: a new package: add it to mayImport in imports_test.go, and to docs/architecture.md", dir)
			continue
		}
		for name, file := range files {
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if problem := importProblem(dir, imported, rule); problem != "" {
					t.Errorf("%s: %s", name, problem)
				}
			}
		}
	}
}

// importProblem says why a package of the module may not import a path, or nothing.
func importProblem(dir, imported string, rule []string) string {
	if imported == "testing" && !slices.Contains(testServers, dir) {
		return `production code imports "testing": move what needs it to a _test.go file`
	}
	for driver, users := range drivers {
		if strings.HasPrefix(imported, driver) && !slices.Contains(users, dir) {
			return "only " + strings.Join(users, ", ") + " may import " + driver + ": put what you need into " + users[0]
		}
	}
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		return ""
	}
	target := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
	if target == "" {
		target = "."
	}
	if target == telemetry {
		return ""
	}
	if !slices.Contains(testServers, target) && slices.ContainsFunc(rule, func(r string) bool { return matches(r, target) }) {
		return ""
	}
	return "imports " + imported + ", which mayImport in imports_test.go does not allow"
}

func matches(rule, target string) bool {
	ok, _ := path.Match(rule, target)
	return ok
}

func TestImportRuleRefuses(t *testing.T) {
	for _, c := range []struct{ dir, imported string }{
		{"internal/plan", module + "/internal/pg"},
		{"internal/request", module},
		{".", module + "/internal/pgtest"},
		{"internal/rest", "github.com/jackc/pgx/v5"},
		{"internal/rest", "testing"},
		{"cache", module + "/internal/pg"},
	} {
		if importProblem(c.dir, c.imported, mayImport()[c.dir]) == "" {
			t.Errorf("%s may import %s, but must not", c.dir, c.imported)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for dir, files := range productionFiles(t) {
		comments := 0
		for _, file := range files {
			if file.Doc != nil {
				comments++
			}
		}
		if comments != 1 {
			t.Errorf("%s: %d package comments: write one, in doc.go, that says what the package is, what it is not, and who imports it", dir, comments)
		}
	}
}

// productionFiles parses every Go file that ends up in a binary, by directory and name. It opens the files itself, so
// that Go's test cache notices when they change.
func productionFiles(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	root := os.DirFS(".")
	packages := map[string]map[string]*ast.File{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(d.Name()) && name != ".":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = map[string]*ast.File{}
		}
		packages[dir][name] = file
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// skipDir leaves out what the go command leaves out, and what is not Go.
func skipDir(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "bin" || name == "node_modules"
}
