package shop

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

//go:embed sql/*.sql
var files embed.FS

// script is the text of a file in sql.
func script(name string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // a file that was embedded is there; every load in the tests passes here
	}
	return string(b)
}

// step is a part of the load that needs those before it; its tasks do not need
// each other.
type step struct {
	name  string
	tasks []task
}

// task is one script, or one statement with arguments.
type task struct {
	sql  string
	args []any
	// cost is its share in the progress: microseconds, roughly, on one core.
	cost int64
}

func (t task) run(ctx context.Context, conn *pg.Conn) error {
	if len(t.args) == 0 {
		return exec(ctx, conn, t.sql)
	}
	_, err := conn.Exec(ctx, t.sql, t.args...)
	return err
}

// sizes are numbers of rows. Some reviews and members of collections fall
// together, so that there are a few less.
type sizes struct {
	products, customers, orders, reviews, members int64
}

func sizesAt(scale float64) sizes {
	at := func(full float64) int64 { return max(1, int64(full*scale)) }
	return sizes{
		products: at(100_000), customers: at(20_000), orders: at(300_000), reviews: at(210_000), members: at(25_000),
	}
}

// plan lists the steps. Rows come before indexes, and these before keys: that
// is several times faster than keeping them up row by row.
func plan(n sizes) []step {
	rows := n.products + n.orders*4 + n.reviews
	return []step{
		{"schema", []task{{sql: setup(n), cost: 100_000}}},
		{"products and customers", slices.Concat(
			fill("products", n.products, 12_500, 48),
			fill("customers", n.customers, 20_000, 7),
		)},
		{"orders", slices.Concat(
			fill("reviews", n.reviews, n.reviews, 11),
			fill("items", n.orders, 30_000, 15),
			fill("orders", n.orders, 100_000, 6),
			fill("members", n.members, n.members, 9),
		)},
		{"indexes", statements("indexes", rows*3)},
		{"keys", []task{{sql: script("keys"), cost: rows / 3}}},
		{"foreign keys", statements("references", rows)},
		{"views, functions and rules", []task{{sql: script("roles") + script("api"), cost: rows / 2}}},
		{"statistics", statements("vacuum", rows)},
		{"done", []task{{sql: finale, cost: 10_000}}},
	}
}

// setup makes tables, vocabulary and all rows that are few. Its first
// transaction makes the schema together with the table for the mark, by which
// an interrupted load is known.
func setup(n sizes) string {
	return script("schema") + script("lexicon") +
		fmt.Sprintf("insert into shop_load.sizes values (%d, %d, %d, %d, %d);\n", n.products, n.customers, n.orders, n.reviews, n.members) +
		script("fill_catalog")
}

// finale sets the mark of completion.
const finale = `drop schema shop_load cascade; insert into shop_private.load default values`

// fill makes the rows 1 to n of a table in chunks.
func fill(table string, n, chunk, costPerRow int64) []task {
	var tasks []task
	sql := script("fill_" + table)
	for from := int64(1); from <= n; from += chunk {
		to := min(n, from+chunk-1)
		tasks = append(tasks, task{sql: sql, args: []any{from, to}, cost: (to - from + 1) * costPerRow})
	}
	return tasks
}

// statements makes a task of every statement in a file, which has none with
// semicolons inside.
func statements(file string, cost int64) []task {
	all := strings.Split(strings.TrimSpace(script(file)), ";\n")
	var tasks []task
	for _, sql := range all {
		tasks = append(tasks, task{sql: sql, cost: cost / int64(len(all))})
	}
	return tasks
}
