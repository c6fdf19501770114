package schema_test

import (
	"fmt"
	"testing"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// What is behind relations that are not exposed is told where that is asked for.
func TestInputs(t *testing.T) {
	name := func(n string) schema.Name { return schema.Name{Schema: "private", Name: n} }
	o := exposing("api")
	o.Inputs = []schema.Name{name("a"), name("v"), name("nope"), {Schema: "nope", Name: "a"}, name("sequence")}
	s := load(t, o, reachBase+"create view private.w as select id from private.b; create view private.v as select w.id from private.w, private.a; create sequence private.sequence")
	if len(s.Inputs) != 2 || len(s.Relations) != 0 {
		t.Errorf("%v; %d relations", s.Inputs, len(s.Relations))
	}
	if a, v := s.Inputs[name("a")], s.Inputs[name("v")]; len(a.Tables) != 1 || len(v.Tables) != 2 || a.Opaque+v.Opaque != "" {
		t.Error(fmt.Sprint(a, v))
	}
}
