package pg_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// TestTextOfStatementsIsBounded: the server's memory for them is many times their text.
func TestTextOfStatementsIsBounded(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	pad := strings.Repeat("x", 100<<10)
	for i := range 30 {
		if got := value(t, db, as(w.ann), fmt.Sprintf("select '%d' /* %s */", i, pad)); got != strconv.Itoa(i) {
			t.Fatalf("statement %d gives %s", i, got)
		}
	}
	bytes, err := strconv.Atoi(value(t, db, as(w.ann), "select sum(length(statement)) from pg_prepared_statements"))
	// The one just dropped is there until the next trip.
	if most := 1<<20 + 110<<10; err != nil || bytes > most || bytes < 1<<19 {
		t.Errorf("the server has %d bytes of statements, want at most %d, and not far less (%v)", bytes, most, err)
	}
	// One that is larger than all may be together still runs.
	huge := fmt.Sprintf("select 'huge' /* %s */", strings.Repeat("x", 2<<20))
	for range 2 {
		if got := value(t, db, as(w.ann), huge); got != "huge" {
			t.Errorf("got %s", got)
		}
	}
}

// TestAlteredSessionsAreNotReused: what a function sets beyond its transaction and the server reports of must not
// decide how the requests of others are read and answered.
func TestAlteredSessionsAreNotReused(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	const ask = "select concat_ws(' ', current_setting('client_encoding'), current_setting('TimeZone'), current_setting('DateStyle'))"
	const whole = "select set_config('client_encoding', 'LATIN1', false), set_config('TimeZone', 'Asia/Tokyo', false)"
	before := value(t, db, as(w.ann), ask)
	read(t, db, as(w.ann), whole)
	if got := value(t, db, as(w.bert), ask); got != before {
		t.Errorf("after a read: %s, want %s", got, before)
	}
	tx := as(w.ann)
	tx.ReadWrite = true
	commit := func() (bool, error) { return true, nil }
	if err := db.Write(t.Context(), tx, []pg.Statement{statement(whole)}, &got{}, commit); err != nil {
		t.Fatal(err)
	}
	if got := value(t, db, as(w.bert), ask); got != before {
		t.Errorf("after a write: %s, want %s", got, before)
	}
}

// Settings of the transaction, of which the server reports too while it is open, cost no connection.
func TestSettingsOfTheTransactionKeepTheSession(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	const pid = "select pg_backend_pid()"
	before := value(t, db, as(w.ann), pid)
	tx := as(w.ann, pg.Setting{Name: "TimeZone", Value: "Asia/Tokyo"})
	if got := value(t, db, tx, pid); got != before {
		t.Error("a read has cost the connection")
	}
	tx.ReadWrite = true
	for _, commits := range []bool{true, false} {
		decide := func() (bool, error) { return commits, nil }
		if err := db.Write(t.Context(), tx, []pg.Statement{statement(pid)}, &got{}, decide); err != nil {
			t.Fatal(err)
		}
		if got := value(t, db, as(w.ann), pid); got != before {
			t.Errorf("a write with commit %v has cost the connection", commits)
		}
	}
}
