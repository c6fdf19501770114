package openapi_test

import (
	"fmt"
	"testing"

	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// snapshot has n tables of ten columns, each with a foreign key to the next, and n/10 functions.
func snapshot(n int) *schema.Snapshot {
	s := &schema.Snapshot{
		Relations:     make(map[schema.Name]*schema.Relation),
		Relationships: make(map[schema.RelationshipKey][]*schema.Relationship),
		Functions:     make(map[schema.Name][]*schema.Function),
	}
	tableName := func(i int) schema.Name { return schema.Name{Schema: "api", Name: fmt.Sprintf("table_%05d", i)} }
	for i := range n {
		r := &schema.Relation{
			Name: tableName(i), OID: uint32(i), Insertable: true, Updatable: true, Deletable: true, PrimaryKey: []string{"column_0"},
		}
		for c := range 10 {
			r.Columns = append(r.Columns, schema.Column{Name: fmt.Sprintf("column_%d", c), Type: "text", Nullable: c > 3})
		}
		s.Relations[r.Name] = r
		s.Relationships[schema.RelationshipKey{Origin: r.Name, TargetSchema: "api"}] = []*schema.Relationship{{
			Origin: r.Name, Target: tableName((i + 1) % n), Columns: []schema.ColumnPair{{Left: "column_1", Right: "column_0"}},
		}}
		if i%10 == 0 {
			f := &schema.Function{
				Name: schema.Name{Schema: "api", Name: fmt.Sprintf("function_%05d", i)}, OID: uint32(i), Volatility: schema.Stable,
				Params:  []schema.Param{{Name: "a", Type: "integer", Required: true}},
				Returns: schema.Return{Set: true, Composite: true, Type: r.Name, Table: r.Name.Name},
			}
			s.Functions[f.Name] = []*schema.Function{f}
		}
	}
	return s
}

func documents() map[string]func(openapi.Description) []byte {
	return map[string]func(openapi.Description) []byte{"2.0": openapi.Document2, "3.1": openapi.Document31}
}

// The maps of a snapshot have no order; the documents have.
func TestEqualInputGivesEqualBytes(t *testing.T) {
	for version, document := range documents() {
		describe := func() string {
			a := &openapi.Access{Comment: "c"}
			return string(document(a.Filter(snapshot(50), "api")))
		}
		first := describe()
		for range 5 {
			if describe() != first {
				t.Errorf("%s: equal input, other bytes", version)
			}
		}
	}
}

// Ten times the tables make no more than about ten times the work and the text.
func TestCostIsLinear(t *testing.T) {
	for version, document := range documents() {
		cost := func(n int) (allocations, size float64) {
			d := (&openapi.Access{}).Filter(snapshot(n), "api")
			return testing.AllocsPerRun(1, func() { document(d) }), float64(len(document(d)))
		}
		allocations, size := cost(100)
		more, larger := cost(1000)
		if more > 11*allocations || larger > 11*size {
			t.Errorf("%s: from 100 to 1000 tables: %.0f to %.0f allocations, %.0f to %.0f bytes", version, allocations, more, size, larger)
		}
	}
}

func BenchmarkDocument(b *testing.B) {
	s := snapshot(10_000)
	for version, document := range documents() {
		b.Run(version, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(document((&openapi.Access{}).Filter(s, "api")))))
			}
		})
	}
}
