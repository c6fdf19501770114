package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/check"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestCache(t *testing.T) {
	pgtest.Server(t) // has wal_level = logical
	f := newFixture(t)
	f.options.Cache, f.options.CacheModes, f.options.CacheDSN = true, feed.Modes("auto"), f.options.DSN
	pgtest.Exec(t, f.dsn, `create table api.kept (id int primary key); create view api.some as select * from api.kept where id > 1;
		create view api.ticking as select *, now() as read from api.kept; create view api.clock as select now();
		create table api.priced (price numeric primary key)`)
	r := run(t, f.options)
	wantFinding(t, r, "cache", check.Warn, "the role "+f.login+" may not replicate; changes of the schema are not reported; the publication is missing")
	wantFinding(t, r, "not kept", check.Warn, "api.clock, api.item, api.kept, api.priced, api.recent, api.some, api.ticking: has no cache: ttl, and nothing tells of its changes")
	if !r.Serves() {
		t.Error("serves without a cache, too")
	}

	if err := feed.Install(t.Context(), f.dsn, f.login, nil); err != nil {
		t.Fatal(err)
	}
	r = run(t, f.options)
	wantFinding(t, r, "cache", check.OK, "changes are told by the write-ahead log")
	wantFinding(t, r, "kept until a row changes", check.OK, "api.kept")
	wantFinding(t, r, "kept until a table changes", check.OK, "api.priced, api.recent, api.some")
	var not []string
	for _, finding := range r.Findings {
		if finding.Name == "not kept" {
			not = append(not, finding.Found)
		}
	}
	const want = "api.clock, api.ticking: calls now(), whose result depends on more than its arguments | " +
		"api.item: depends on a table whose changes are not told: without a primary key or replica identity, or not of the schemas of cache install"
	if got := strings.Join(not, " | "); got != want {
		t.Errorf("not kept\n%s\nwant\n%s", got, want)
	}

	f.options.CachedFor = func(schema, relation string) time.Duration {
		if schema == "api" && (relation == "clock" || relation == "item") {
			return time.Minute
		}
		return 0
	}
	wantFinding(t, run(t, f.options), "kept for cache-ttl", check.OK, "api.clock, api.item")
	f.options.CacheModes = nil
	r = run(t, f.options)
	wantFinding(t, r, "cache", check.OK, "answers are kept for a time")
	wantFinding(t, r, "kept for cache-ttl", check.OK, "api.clock, api.item")
	wantFinding(t, r, "not kept", check.Warn, "api.kept, api.priced, api.recent, api.some, api.ticking: has no cache: ttl")
	f.options.CacheModes, f.options.CachedFor = feed.Modes("auto"), nil

	f.options.PreRequest = "api.now"
	wantFinding(t, run(t, f.options), "cache", check.Warn, "db-pre-request")
	f.options.Cache = false
	wantFinding(t, run(t, f.options), "cache", check.OK, "off by cache-mode")
	f.options.Cache, f.options.PreRequest, f.options.CacheDSN = true, "", "postgres://u:hush@127.0.0.1:1/x"
	r = run(t, f.options)
	wantFinding(t, r, "cache", check.Warn, "failed to connect")
	for _, finding := range r.Findings {
		if strings.Contains(finding.Found, "hush") {
			t.Errorf("a password is shown: %s", finding.Found)
		}
	}
}

func TestCacheByTable(t *testing.T) {
	pgtest.Own(t, map[string]string{"wal_level": "replica", "max_prepared_transactions": "0"})
	f := newFixture(t)
	f.options.Cache, f.options.CacheModes, f.options.CacheDSN = true, feed.Modes("auto"), f.options.DSN
	wantFinding(t, run(t, f.options), "cache", check.Warn, "wal_level is replica")
	f.options.CacheModes = feed.Modes("notify")
	wantFinding(t, run(t, f.options), "cache", check.Warn, "no triggers tell what is written")
	if err := feed.InstallNotify(t.Context(), f.dsn, nil); err != nil {
		t.Fatal(err)
	}
	f.options.CacheModes = feed.Modes("auto")
	r := run(t, f.options)
	wantFinding(t, r, "cache", check.OK, "told by triggers")
	wantFinding(t, r, "kept until a table changes", check.OK, "api.item")
}
