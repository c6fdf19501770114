package telemetry_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestFailoverMetrics(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	now := telemetry.Failover{
		Retries: map[[2]string]uint64{{"conflict", "succeeded"}: 3}, Spent: 4, Denied: 5, Left: 6.5,
		Commits: map[string]uint64{"unknown": 7}, Parked: 8, ParkedTotal: 9, ParkedExpired: 10, ParkedFull: 11,
		Host: "db1:5432", Timeline: 2, Failovers: 1,
	}
	if err := m.WatchFailover(func() telemetry.Failover { return now }); err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	text := scrape()
	for _, line := range []string{
		`db_retries_total{outcome="succeeded",reason="conflict"} 3`, `db_retry_budget_total{decision="spent"} 4`,
		`db_retry_budget_total{decision="denied"} 5`, `db_retry_budget_left 6.5`, `db_lost_commits_total{result="unknown"} 7`,
		`db_parked_writes 8`, `db_parked_writes_total{result="parked"} 9`, `db_parked_writes_total{result="expired"} 10`,
		`db_parked_writes_total{result="full"} 11`, `db_primary{host="db1:5432"} 1`, `db_primary_timeline 2`, `db_failovers_total 1`,
	} {
		if !strings.Contains(text, "\nslipstream_"+line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	now.Host = ""
	if strings.Contains(scrape(), "slipstream_db_primary{") {
		t.Error("a host is named while there is no primary")
	}
	if m.WatchFailover(func() telemetry.Failover { return now }) == nil {
		t.Error("it is watched twice")
	}
}
