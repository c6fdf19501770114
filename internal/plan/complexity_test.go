package plan_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
)

// Tests of embeds multiply from level to level: 60 on each of four levels would be 13 million sub-queries.
func TestTestsOfEmbedsAreBounded(t *testing.T) {
	c := newCinema(t)
	planned := http.Header{"Prefer": {"count=planned"}}
	shown := http.Header{"Prefer": {"return=representation"}, "Content-Type": {"application/json"}}
	for _, tt := range []struct {
		name, method, embeds string
		header               http.Header
		times                int
		code                 string
	}{
		{"few", "GET", "e:people(e:people(e:people(e:people())))", nil, 2, ""},
		{"body", "GET", "e:people(e:people(e:people(e:people())))", nil, 60, "SLIP103"},
		{"estimate", "GET", "e:people(id,e:people(id,e:people(id,e:people(id))))", planned, 60, "SLIP103"},
		{"write", "PATCH", "e:people(id,e:people(e:people(e:people())))", shown, 60, "SLIP103"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := "/people?select=id," + tt.embeds
			for depth := strings.Count(tt.embeds, "e:"); depth > 0; depth-- {
				path := strings.TrimSuffix(strings.Repeat("e.", depth), ".")
				if depth == 1 && tt.method != "GET" {
					continue // chooses the rows to write
				}
				target += strings.Repeat("&"+path+"=is.null", tt.times)
			}
			r, err := parse(tt.method, target, tt.header)
			if err != nil {
				t.Fatal(err)
			}
			if tt.method == "GET" {
				_, err = plan.New(c.snapshot, r, defaults)
			} else if r.Payload, err = r.ReadPayload([]byte(`{"name":"x"}`)); err == nil {
				_, err = plan.NewWrite(c.snapshot, r, defaults)
			}
			var code string
			if e := apierr.From(err); e != nil {
				code = e.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if code != tt.code {
				t.Errorf("got %v, want %q", err, tt.code)
			}
		})
	}
}
