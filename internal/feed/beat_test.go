package feed_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// everyTickPolls has a clock on which hours pass between any two looks at it.
func everyTickPolls(o *feed.Options) {
	var hours atomic.Int64
	o.Clock = func() time.Duration { return time.Duration(hours.Add(1)) * time.Hour }
}

func TestRoleChanges(t *testing.T) {
	one, two := pgtest.Role(t, "nologin"), pgtest.Role(t, "nologin")
	f := follow(t, database(t), everyTickPolls)
	for _, sql := range []string{
		"alter role " + one + " bypassrls",
		"grant " + one + " to " + two,
		"grant " + one + " to " + two + " with admin option",
		"revoke " + one + " from " + two,
		"alter role " + one + " set statement_timeout = '7s'",
		"alter role " + one + " in database postgres set work_mem = '7MB'",
		"alter role " + one + " reset all",
		"create role " + one + "_b; drop role " + one,
		"drop role " + one + "_b",
	} {
		pgtest.Exec(t, f.dsn, sql)
		f.await(sql, func(e event) bool { return e.name == "roles" })
	}
}
