package shop_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// scale of the sample in tests: 1,000 products, 3,000 orders.
const scale = 0.01

var databases atomic.Int64

// newDatabase makes a database on the private server, whatever DATABASE_URL
// says: the sample's roles are not for other servers. It goes with the server.
func newDatabase(t testing.TB) string {
	t.Helper()
	server := pgtest.Server(t)
	name := fmt.Sprintf("shop%d", databases.Add(1))
	pgtest.Exec(t, server.DSN("postgres"), "create database "+name)
	return server.DSN(name)
}

func load(t testing.TB, dsn string) {
	t.Helper()
	if err := shop.LoadScale(t.Context(), dsn, scale, nil); err != nil {
		t.Fatal(err)
	}
}

var sample struct {
	once sync.Once
	dsn  string
}

// loaded is a database with the sample that tests may read and, in
// transactions they roll back, write.
func loaded(t testing.TB) string {
	t.Helper()
	sample.once.Do(func() {
		dsn := newDatabase(t)
		load(t, dsn)
		sample.dsn = dsn
	})
	if sample.dsn == "" {
		t.Fatal("the sample could not be loaded")
	}
	return sample.dsn
}

func TestRowCounts(t *testing.T) {
	dsn := loaded(t)
	for table, want := range map[string]string{
		"categories": "207", "brands": "60", "collections": "20", "products": "1000", "customers": "200", "orders": "3000",
		"order_items": "9892", "reviews": "1936", "product_collections": "236", "best_sellers": "991",
	} {
		if got := pgtest.Value(t, dsn, "select count(*) from shop."+table); got != want {
			t.Errorf("%s: %s rows, want %s", table, got, want)
		}
	}
}

// checksum is over all rows, without what the server derives from them.
func checksum(t testing.TB, dsn string) string {
	t.Helper()
	var sums []string
	for _, table := range []string{
		"categories t", "brands t", "(select (to_jsonb(p) - 'search')::text from shop.products p) t", "collections t",
		"product_collections t", "customers t", "orders t", "order_items t", "reviews t",
	} {
		if !strings.HasPrefix(table, "(") {
			table = "shop." + table
		}
		sums = append(sums, pgtest.Value(t, dsn+"&timezone=UTC", `select md5(string_agg(md5(t::text), '' order by md5(t::text))) from `+table))
	}
	return strings.Join(sums, "\n")
}

// The sums are those of every machine and PostgreSQL version: when the sample
// changes on purpose, take over the new ones.
func TestRowsAreTheSameEverywhere(t *testing.T) {
	want := strings.Join([]string{
		"c3a6c6a2d079966807e59248d7903b59", // categories
		"fd5f367824ab83640353b6fa5b54254e", // brands
		"bdd22b8a1c73eb81651fe99b473b99c8", // products
		"ed9ebe5121297b6175b4787b6835e16a", // collections
		"963cfafe2e95031992c20cec0b902dde", // product_collections
		"f18b8888634dbee7425b19255a0397bd", // customers
		"90e92bc425765c49c8cd64ff7b07428c", // orders
		"9f84818188da02a0fa485417717c69f0", // order_items
		"42044e3ee100be99478f6866de46be43", // reviews
	}, "\n")
	if got := checksum(t, loaded(t)); got != want {
		t.Errorf("checksums:\n%s\nwant:\n%s", got, want)
	}
}

func TestLoadTwiceDoesNothing(t *testing.T) {
	dsn := newDatabase(t)
	load(t, dsn)
	pgtest.Exec(t, dsn, `delete from shop.reviews where id = 1`)
	load(t, dsn)
	if got := pgtest.Value(t, dsn, "select count(*) from shop.reviews where id = 1"); got != "0" {
		t.Error("a second load undid the user's change")
	}
}

func TestAnInterruptedLoadIsRedone(t *testing.T) {
	want := checksum(t, loaded(t))
	for _, at := range []float64{0.05, 0.3, 0.6, 0.95} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			dsn := newDatabase(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := shop.LoadScale(ctx, dsn, scale, func(done, total int64, _ string) {
				if float64(done) >= at*float64(total) {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted load: %v", err)
			}
			assertLoaded(t, dsn, false)
			load(t, dsn)
			assertLoaded(t, dsn, true)
			if got := checksum(t, dsn); got != want {
				t.Errorf("checksums after recovery:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func assertLoaded(t *testing.T, dsn string, want bool) {
	t.Helper()
	got, err := shop.Loaded(t.Context(), dsn)
	if err != nil || got != want {
		t.Errorf("Loaded: %v, %v; want %v", got, err, want)
	}
}

func TestLoadedInAnEmptyDatabase(t *testing.T) {
	assertLoaded(t, newDatabase(t), false)
}

func TestAForeignSchemaIsLeftAlone(t *testing.T) {
	dsn := newDatabase(t)
	pgtest.Exec(t, dsn, "create schema shop", "create table shop.precious ()")
	err := shop.LoadScale(t.Context(), dsn, scale, nil)
	if err == nil || !strings.Contains(err.Error(), "not the sample's") {
		t.Errorf("got %v", err)
	}
	pgtest.Exec(t, dsn, "table shop.precious")
}

func TestTwoLoadsAtOnceMakeOneShop(t *testing.T) {
	dsn := newDatabase(t)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := shop.LoadScale(t.Context(), dsn, scale, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	assertLoaded(t, dsn, true)
}

func TestProgressGrowsToItsTotal(t *testing.T) {
	var done, total, calls int64
	err := shop.LoadScale(t.Context(), newDatabase(t), scale, func(d, n int64, step string) {
		calls++
		if d < done || d > n || step == "" || total != 0 && n != total {
			t.Errorf("progress %d of %d after %d of %d in step %q", d, n, done, total, step)
		}
		done, total = d, n
	})
	if err != nil || done != total || calls < 10 {
		t.Errorf("%v; ended at %d of %d after %d calls", err, done, total, calls)
	}
}

func TestSampleIsTidy(t *testing.T) {
	dsn := loaded(t)
	for what, query := range map[string]string{
		"foreign keys without an index": `select string_agg(conname, ' ') from pg_constraint c
			where contype = 'f' and connamespace = 'shop'::regnamespace and not exists (
				select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])`,
		"undescribed relations": `select string_agg(relname, ' ') from pg_class
			where relnamespace = 'shop'::regnamespace and relkind in ('r', 'v', 'm') and obj_description(oid, 'pg_class') is null`,
		"undescribed functions": `select string_agg(proname, ' ') from pg_proc
			where pronamespace = 'shop'::regnamespace and obj_description(oid, 'pg_proc') is null`,
		"remains of the load":   `select to_regnamespace('shop_load')`,
		"tables never analyzed": `select string_agg(relname, ' ') from pg_class where relnamespace = 'shop'::regnamespace and relkind in ('r', 'm') and reltuples < 1`,
		"sequences behind their rows": `select string_agg(relname, ' ') from pg_class
			where relnamespace = 'shop'::regnamespace and relkind = 'S' and coalesce(pg_sequence_last_value(oid), 0) < 20`,
	} {
		if got := pgtest.Value(t, dsn, query); got != "" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

func TestFewProductsSellMost(t *testing.T) {
	got := pgtest.Value(t, loaded(t), `select sum(sold) filter (where rank <= 100) > 2 * sum(sold) / 5 from shop.best_sellers`)
	if got != "t" {
		t.Error("a tenth of the products should make over two fifths of the sales")
	}
}

// One hash with one salt for two things would tie them together.
func TestBusyCustomersOrderLikeOthers(t *testing.T) {
	got := pgtest.Value(t, loaded(t), `select count(*)::numeric / count(distinct o.id) between 2.8 and 3.8
		from shop.orders o join shop.order_items i on i.order_id = o.id
		where o.customer_id in (select customer_id from shop.orders group by 1 order by count(*) desc, 1 limit 10)`)
	if got != "t" {
		t.Error("the orders of busy customers have unusually many or few lines")
	}
}

// The full load, in seconds: go test -run '^$' -bench Load -benchtime 1x.
func BenchmarkLoad(b *testing.B) {
	shortest := math.Inf(1)
	for range b.N {
		dsn := newDatabase(b)
		began := time.Now()
		if err := shop.Load(b.Context(), dsn, nil); err != nil {
			b.Fatal(err)
		}
		shortest = min(shortest, time.Since(began).Seconds())
	}
	b.ReportMetric(shortest, "s/load")
}
