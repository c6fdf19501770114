package shop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// as opens a transaction like the API's: the server's login, then a role and
// the claims. It is rolled back at the end of the test.
func as(t *testing.T, role, claims string) pgx.Tx {
	t.Helper()
	ctx := t.Context()
	config, err := pgx.ParseConfig(loaded(t))
	if err != nil {
		t.Fatal(err)
	}
	config.User = "shop_authenticator"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	// The test's context has ended when this runs; the end of the connection
	// rolls back.
	t.Cleanup(func() { _ = conn.PgConn().Conn().Close() })
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", role, claims); err != nil {
		t.Fatal(err)
	}
	return tx
}

func asCustomer(t *testing.T, id int) pgx.Tx {
	t.Helper()
	return as(t, "shop_customer", fmt.Sprintf(`{"role": "shop_customer", "customer_id": %d}`, id))
}

// value is the text of the only column of the only row.
func value(t *testing.T, tx pgx.Tx, sql string, args ...any) string {
	t.Helper()
	rows, err := tx.Query(t.Context(), sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
	got, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (string, error) {
		return string(row.RawValues()[0]), nil
	})
	if err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
	return got
}

func TestVisitorsReadTheCatalogueOnly(t *testing.T) {
	for _, open := range []string{
		"categories", "brands", "products", "collections", "product_collections", "reviews", "product_ratings", "best_sellers",
	} {
		if got := value(t, as(t, "shop_anon", ""), "select count(*) > 0 from shop."+open); got != "t" {
			t.Errorf("%s is empty", open)
		}
	}
	for _, closed := range []string{
		"select from shop.customers", "select from shop.orders", "select from shop.order_items", "select from shop.order_totals",
		"update shop.products set price = 0", "delete from shop.reviews", "select shop.place_order('[]')",
		"select from shop_private.load",
	} {
		_, err := as(t, "shop_anon", "").Exec(t.Context(), closed)
		if err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v, want permission denied", closed, err)
		}
	}
}

func TestCustomersSeeTheirOwn(t *testing.T) {
	tx := asCustomer(t, 7)
	for _, query := range []string{
		"select count(*) = 1 and min(id) = 7 from shop.customers",
		"select count(*) > 0 and count(*) filter (where customer_id <> 7) = 0 from shop.orders",
		"select count(*) > 0 and count(distinct order_id) = (select count(*) from shop.orders) from shop.order_items",
		"select count(*) = (select count(*) from shop.orders) from shop.order_totals",
		"select count(*) > 1000 from shop.reviews",
	} {
		if got := value(t, tx, query); got != "t" {
			t.Errorf("%s: %s", query, got)
		}
	}
}

func TestWithoutTheClaimACustomerSeesNothing(t *testing.T) {
	for _, claims := range []string{"", "{}", `{"customer_id": null}`} {
		tx := as(t, "shop_customer", claims)
		if got := value(t, tx, "select (select count(*) from shop.customers) + (select count(*) from shop.orders) + (select count(*) from shop.order_items)"); got != "0" {
			t.Errorf("claims %q: %s rows", claims, got)
		}
	}
}

func TestCustomersCannotWriteForOthersNorSetPrices(t *testing.T) {
	for _, statement := range []string{
		"insert into shop.orders (customer_id, shipping_address) values (8, '{}')",
		"insert into shop.order_items (order_id, line, product_id, quantity, unit_price) values (1, 99, 1, 1, 0.01)",
		"insert into shop.order_items (order_id, line, product_id, quantity) values (1, 99, 1, 1)",
		"insert into shop.reviews (product_id, customer_id, author, rating, title, body) values (1, 8, 'x', 5, 'x', 'x')",
		"update shop.orders set status = 'delivered'",
	} {
		_, err := asCustomer(t, 7).Exec(t.Context(), statement)
		if err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v, want permission denied", statement, err)
		}
	}
	tag, err := asCustomer(t, 7).Exec(t.Context(), "update shop.reviews set rating = 1 where customer_id <> 7")
	if err != nil || tag.RowsAffected() != 0 {
		t.Errorf("reviews of others: %v, %v", tag, err)
	}
}

func TestPlaceOrder(t *testing.T) {
	tx := asCustomer(t, 7)
	const wanted = "(select array_agg(id order by id) from (select id from shop.products where active and stock > 10 order by id limit 2) p)::bigint[]"
	before := value(t, tx, "select sum(stock) from shop.products where id = any("+wanted+")")
	id := value(t, tx, `select id from shop.place_order((select jsonb_agg(jsonb_build_object('product_id', id, 'quantity', 3)) from unnest(`+wanted+`) id), 'Ring twice')`)
	got := value(t, tx, `select concat_ws(' ', o.customer_id, o.status, o.note, o.shipping_address = c.address,
			shop.total(o) = 3 * (select sum(price) from shop.products where id = any(`+wanted+`)),
			(select string_agg(line || 'x' || quantity, ',' order by line) from shop.order_items where order_id = o.id))
		from shop.orders o join shop.customers c on c.id = o.customer_id where o.id = $1::text::bigint`, id)
	if want := "7 pending Ring twice t t 1x3,2x3"; got != want {
		t.Errorf("order is %q, want %q", got, want)
	}
	if got := value(t, tx, "select $1::text::bigint - sum(stock) from shop.products where id = any("+wanted+")", before); got != "6" {
		t.Errorf("stock fell by %s", got)
	}
}

func TestPlaceOrderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		claims, items, code string
	}{
		"no items":         {`{"customer_id": 7}`, `[]`, "PT400"},
		"not a list":       {`{"customer_id": 7}`, `{"product_id": 1}`, "PT400"},
		"nobody":           {`{}`, `[{"product_id": 1, "quantity": 1}]`, "PT403"},
		"unknown product":  {`{"customer_id": 7}`, `[{"product_id": 999999999, "quantity": 1}]`, "PT409"},
		"more than stock":  {`{"customer_id": 7}`, `[{"product_id": 1, "quantity": 100000}]`, "PT409"},
		"nothing of it":    {`{"customer_id": 7}`, `[{"product_id": 1, "quantity": 0}]`, "23514"},
		"negative amounts": {`{"customer_id": 7}`, `[{"product_id": 1, "quantity": -5}]`, "23514"},
	} {
		_, err := as(t, "shop_customer", c.claims).Exec(t.Context(), "select shop.place_order($1)", c.items)
		if err == nil || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestReadingFunctions(t *testing.T) {
	tx := as(t, "shop_anon", "")
	for query, want := range map[string]string{
		"select count(*) > 5 from shop.search_products('shirts')":                                                                          "t",
		"select bool_and(name ~* 'shirt' and price <= 60) from shop.search_products('shirt', max_price => 60)":                             "t",
		"select count(*) > 0 from shop.search_products('enamel', 'kitchen')":                                                               "t",
		"select count(*) from shop.search_products('kettle', 'books')":                                                                     "0",
		"select count(*) from shop.search_products('kettle -kettle')":                                                                      "0",
		"select count(*) from shop.top_products()":                                                                                         "10",
		"select string_agg(b.rank::text, ',' order by b.rank) from shop.top_products(3) p join shop.best_sellers b on b.product_id = p.id": "1,2,3",
		"select bool_and(shop.rating(p) = r.rating) from shop.products p join shop.product_ratings r on r.product_id = p.id":               "t",
		"select bool_and(shop.in_stock(p) = (p.active and p.stock > 0)) from shop.products p":                                              "t",
		"select count(*) > 0 and bool_and(s.category_id = p.category_id) from shop.products p, shop.similar_products(p) s where p.id = 1":  "t",
		"select count(*) from shop.categories c, shop.parent(c)":                                                                           "197",
		"select count(*) from shop.categories c, shop.children(c)":                                                                         "197",
	} {
		if got := value(t, tx, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}
