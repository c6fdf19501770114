package schema_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// films is a snapshot with a few names, some of them in another schema.
func films() *schema.Snapshot {
	s := &schema.Snapshot{
		Relations:     make(map[schema.Name]*schema.Relation),
		Relationships: make(map[schema.RelationshipKey][]*schema.Relationship),
		Functions:     make(map[schema.Name][]*schema.Function),
	}
	for _, n := range []string{"films", "directors", "roles", "actors"} {
		s.Relations[name(n)] = &schema.Relation{Name: name(n)}
		if n != "films" {
			k := schema.RelationshipKey{Origin: name("films"), TargetSchema: "api"}
			s.Relationships[k] = append(s.Relationships[k], &schema.Relationship{Origin: name("films"), Target: name(n)})
		}
	}
	other := schema.Name{Schema: "other", Name: "projects"}
	s.Relations[other] = &schema.Relation{Name: other}
	for _, params := range [][]string{{"val", "param", "name"}, {"id", "attr"}} {
		f := &schema.Function{Name: name("test")}
		for _, p := range params {
			f.Params = append(f.Params, schema.Param{Name: p})
		}
		s.Functions[f.Name] = append(s.Functions[f.Name], f)
	}
	s.Functions[name("another")] = []*schema.Function{{Name: name("another")}}
	s.Functions[schema.Name{Schema: "other", Name: "private"}] = []*schema.Function{{}}
	return s
}

func TestSimilarRelation(t *testing.T) {
	s := films()
	for wanted, want := range map[string]string{
		"film": "films", "Films": "films", "actorx": "actors", "project": "", "actxxx": "", "zzz": "",
	} {
		if got := s.SimilarRelation(name(wanted)); got != want {
			t.Errorf("%s: %q, want %q", wanted, got, want)
		}
	}
	if got := s.SimilarRelation(schema.Name{Schema: "nowhere", Name: "films"}); got != "" {
		t.Errorf("in a schema that is not there: %q", got)
	}
}

func TestSimilarRelationIsNotForHugeSchemas(t *testing.T) {
	s := &schema.Snapshot{Relations: make(map[schema.Name]*schema.Relation)}
	add := func(n string) { s.Relations[name(n)] = nil }
	for i := range 499 {
		add(fmt.Sprint("table_", i))
	}
	if got := s.SimilarRelation(name("tabl_17")); got != "table_17" {
		t.Errorf("with 499 tables: %q", got)
	}
	s = &schema.Snapshot{Relations: s.Relations}
	add("table_499")
	if got := s.SimilarRelation(name("tabl_17")); got != "" {
		t.Errorf("with 500 tables: %q", got)
	}
}

func TestSimilarTarget(t *testing.T) {
	s := films()
	for _, tc := range []struct{ origin, target, misspelt, meant string }{
		{"film", "directors", "film", "films"},
		{"films", "role", "role", "roles"},
		{"films", "actors", "", ""}, // the names are right, the hint is not
		{"noclosealternative", "roles", "", ""},
		{"films", "noclosealternative", "", ""},
	} {
		misspelt, meant := s.SimilarTarget(name(tc.origin), "api", tc.target)
		if misspelt != tc.misspelt || meant != tc.meant {
			t.Errorf("%s to %s: %q instead of %q, want %q instead of %q", tc.origin, tc.target, meant, misspelt, tc.meant, tc.misspelt)
		}
	}
}

func TestSimilarFunction(t *testing.T) {
	s := films()
	for _, tc := range []struct {
		function string
		params   []string
		want     string
	}{
		{"testt", []string{"val", "param", "name"}, "test"},
		{"private", nil, ""},
		{"noclosealternative", nil, ""},
		{"test", []string{"vall", "pqaram", "nam"}, "test(name, param, val)"},
		{"test", []string{"val", "param"}, "test(name, param, val)"},
		{"test", []string{"id", "attrs"}, "test(attr, id)"},
		{"test", []string{"id"}, "test(attr, id)"},
		{"test", []string{"noclosealternative"}, ""},
	} {
		if got := s.SimilarFunction(name(tc.function), tc.params); got != tc.want {
			t.Errorf("%s%v: %q, want %q", tc.function, tc.params, got, tc.want)
		}
	}
}

func TestHintsAtOnce(t *testing.T) {
	s := films()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := s.SimilarRelation(name("film")); got != "films" {
				t.Errorf("got %q", got)
			}
			if got := s.SimilarFunction(name("tes"), nil); got != "test" {
				t.Errorf("got %q", got)
			}
		})
	}
	wg.Wait()
}
