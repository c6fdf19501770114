package pg_test

import (
	"context"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestExecScriptIsOneTransaction(t *testing.T) {
	dsn := pgtest.Database(t)
	if err := pg.ExecScript(t.Context(), dsn, "create table a (); create table b ()"); err != nil {
		t.Fatal(err)
	}
	if err := pg.ExecScript(t.Context(), dsn, "create table c (); create table b ()"); err == nil {
		t.Error("a failing script has no error")
	}
	if got := pgtest.Value(t, dsn, "select concat_ws(' ', to_regclass('a'), to_regclass('b'), to_regclass('c'))"); got != "a b" {
		t.Errorf("tables: %s", got)
	}
}

func TestCreateDatabaseTwice(t *testing.T) {
	dsn := pgtest.ServerDSN(t)
	const name = `slipstream "sample"`
	t.Cleanup(func() { pgtest.Exec(t, dsn, `drop database if exists "slipstream ""sample"""`) })
	for range 2 {
		if err := pg.CreateDatabase(t.Context(), dsn, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := pgtest.Value(t, dsn, "select pg_encoding_to_char(encoding) from pg_database where datname = $1", name); got != "UTF8" {
		t.Errorf("encoding %q", got)
	}
}

func TestConnectCancelsOnTheServer(t *testing.T) {
	dsn := pgtest.Database(t)
	conn, err := pg.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := conn.Exec(ctx, "select pg_sleep(600)")
		ended <- err
	}()
	const asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
	for pgtest.Value(t, dsn, asleep) != "1" {
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the query went on")
	}
	// The connection has outlived it: the query was cancelled, not abandoned.
	if _, err := conn.Exec(t.Context(), "select 1"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
