package slipstream_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

// TestManyEmbedsAreJoinedAsWritten: or PostgreSQL would look for a better order for seconds.
func TestManyEmbedsAreJoinedAsWritten(t *testing.T) {
	s := serve(t, hostileSQL, func(c *slipstream.Config) { c.DBPlanEnabled = true })
	path := func(n int) string { return "/item?select=id," + repeated(n, "a#:item!parent(id)", ",") }
	for n, told := range map[int]bool{16: false, 17: true, 64: true} {
		a := s.get(path(n), "Accept: application/vnd.pgrst.plan+text; options=settings")
		if a.StatusCode != 200 || strings.Contains(a.body, "join_collapse_limit = '1'") != told || strings.Contains(a.body, "from_collapse_limit = '1'") != told {
			t.Errorf("%d embeds: %d\n%.500s", n, a.StatusCode, a.body[max(0, len(a.body)-500):])
		}
	}
	s.get(path(64)).check(t, 200, "*")
}
