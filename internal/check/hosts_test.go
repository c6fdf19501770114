package check_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/check"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestHosts(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	r := pgtest.Standby(t)
	both := func(with string) string {
		var hosts, ports []string
		for _, dsn := range []string{pgtest.ServerDSN(t), r.DSN("postgres")} {
			u, err := url.Parse(dsn)
			if err != nil {
				t.Fatal(err)
			}
			hosts, ports = append(hosts, u.Query().Get("host")), append(ports, u.Query().Get("port"))
		}
		return "postgres://postgres@/postgres?host=" + strings.Join(hosts, ",") + with + "&port=" + strings.Join(ports, ",") + strings.Repeat(",1", strings.Count(with, ","))
	}
	finding := func(dsn string) (check.Status, string) {
		t.Helper()
		report, err := check.Database(t.Context(), check.Options{DSN: dsn, Schemas: []string{"public"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			if f.Name == "hosts" {
				return f.Status, f.Found
			}
		}
		return check.OK, ""
	}
	if _, found := finding(pgtest.ServerDSN(t)); found != "" {
		t.Errorf("of one host: %s", found)
	}
	if level, found := finding(both("")); level != check.OK || !strings.Contains(found, "is a primary, on timeline 1") || !strings.Contains(found, "is a standby") {
		t.Errorf("%v %s", level, found)
	}
	if level, found := finding(both(",/nowhere")); level != check.Warn || !strings.Contains(found, "cannot be reached") {
		t.Errorf("%v %s", level, found)
	}
	r.Promote()
	if level, found := finding(both("")); level != check.Warn || strings.Count(found, "is a primary") != 2 {
		t.Errorf("%v %s", level, found)
	}
}
