package main

import (
	"context"
	"strings"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// writeBedSQL makes what the write scenarios write to: once, with a hundred thousand rows to update.
const writeBedSQL = `
	create table if not exists shop.bench_row (id bigint generated always as identity primary key, n int, note text);
	create table if not exists shop.bench_key (id int primary key, n int, note text);
	insert into shop.bench_key select i, 0, 'as it was' from generate_series(100000, 199999) i on conflict do nothing;
	create or replace function shop.bench_add(n int, note text) returns bigint volatile language sql
		as 'insert into shop.bench_row (n, note) values ($1, $2) returning id';
	grant insert, select on shop.bench_row to ` + shop.AnonRole + `;
	grant insert, select, update on shop.bench_key to ` + shop.AnonRole + `;
	grant execute on function shop.bench_add to ` + shop.AnonRole

// emptyWriteBed takes back what earlier scenarios have inserted.
const emptyWriteBed = "truncate shop.bench_row; vacuum analyze shop.bench_row, shop.bench_key; checkpoint"

func (b *bed) emptyWrites(ctx context.Context) error {
	for sql := range strings.SplitSeq(emptyWriteBed, "; ") {
		if err := pg.ExecScript(ctx, b.dsn, sql); err != nil {
			return err
		}
	}
	return nil
}

const row = `{"n":{key},"note":"a row of the benchmark"}`

// rows is a body of n rows, the first of them with the key.
func rows(n int) string {
	other := strings.Replace(row, keyMark, "123456", 1)
	return "[" + row + strings.Repeat(","+other, n-1) + "]"
}

func writeScenarios() []scenario {
	const sixDigits, present = "select 200000, 999999", "select 100000, 199999"
	return []scenario{
		{name: "insert", method: "POST", path: "/bench_row", body: row, keys: sixDigits},
		{name: "insert 10 rows", method: "POST", path: "/bench_row", body: rows(10), keys: sixDigits},
		{name: "insert 1000 rows", method: "POST", path: "/bench_row", body: rows(1000), keys: sixDigits},
		{
			name: "upsert", method: "POST", path: "/bench_key", prefer: "resolution=merge-duplicates", keys: present,
			body: `{"id":{key},"n":1,"note":"upserted"}`,
		},
		{name: "update", method: "PATCH", path: "/bench_key?id=eq.{key}", body: `{"note":"updated"}`, keys: present},
		{name: "rpc", method: "POST", path: "/rpc/bench_add", body: row, keys: sixDigits},
	}
}

func (s scenario) writes() bool { return s.method != "" }

// verb is the method.
func (s scenario) verb() string {
	if s.writes() {
		return s.method
	}
	return "GET"
}
