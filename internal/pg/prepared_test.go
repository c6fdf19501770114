package pg_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// preparedCount is how many statements the server keeps for the session, the asking one included.
const preparedCount = "select count(*) from pg_prepared_statements"

func TestStatementsAreBounded(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Statements: 5})
	// The one just dropped is there until the next trip.
	const most = "6"
	for round := range 3 {
		for i := range 10 {
			if got := value(t, db, as(w.ann), fmt.Sprintf("select %d::text", i)); got != fmt.Sprint(i) {
				t.Errorf("round %d: statement %d gives %s", round, i, got)
			}
		}
		if got := value(t, db, as(w.ann), preparedCount); got > most {
			t.Errorf("round %d: the server has %s statements", round, got)
		}
	}
}

func TestTheStatementNotUsedForLongestMakesRoom(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1, Statements: 4}) // settings and three more
	parses := func(sql string) int {
		p.take()
		value(t, db, as(w.ann), sql)
		return p.take().count('P')
	}
	for i, c := range []struct {
		sql    string
		parses int
	}{
		{"select 'a'", 2}, {"select 'b'", 1}, {"select 'c'", 1},
		{"select 'a'", 0}, {"select 'd'", 1}, // b goes
		{"select 'a'", 0}, {"select 'c'", 0}, {"select 'b'", 1},
	} {
		if got := parses(c.sql); got != c.parses {
			t.Errorf("%d: %s: %d statements prepared, want %d", i, c.sql, got, c.parses)
		}
	}
}

func TestATripOfMoreStatementsThanTheBound(t *testing.T) {
	w := newWorld(t)
	for _, most := range []int{1, 3} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Statements: most})
		for round := range 3 {
			g := &got{}
			var statements []pg.Statement
			var want []string
			for i := range 20 {
				n := fmt.Sprint(i % 10)
				statements = append(statements, statement("select "+n+"::text || $1", "!"))
				want = append(want, n+"!")
			}
			if err := db.Read(t.Context(), as(w.ann), statements, g); err != nil {
				t.Fatal(err)
			}
			var values []string
			for _, row := range g.rows {
				values = append(values, row[0])
			}
			if got, want := strings.Join(values, " "), strings.Join(want, " "); got != want {
				t.Errorf("bound %d, round %d: %s, want %s", most, round, got, want)
			}
		}
		read(t, db, as(w.ann), "select 1") // tells the server what was dropped
		var left int
		if _, err := fmt.Sscan(value(t, db, as(w.ann), preparedCount), &left); err != nil || left > most+2 {
			t.Errorf("bound %d: the server has %d statements (%v)", most, left, err)
		}
	}
}

func TestRefusedStatementsAreNotKept(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	for i := range 20 {
		sql := fmt.Sprintf("select nothing%d", i)
		if _, err := tryRead(t.Context(), db, as(w.ann), sql); code(err) != "42703" {
			t.Error(err)
		}
		// What comes after a refused statement was never seen by the server.
		err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement(sql), statement(fmt.Sprintf("select %d", i))}, &got{})
		if code(err) != "42703" {
			t.Error(err)
		}
	}
	if got := value(t, db, as(w.ann), "select 7"); got != "7" {
		t.Error(got)
	}
	if got := value(t, db, as(w.ann), preparedCount); got != "3" {
		t.Errorf("the server has %s statements", got)
	}
}

// TestRolesAndSearchPathsHaveStatementsOfTheirOwn is about CVE-2024-10976 and its like.
func TestRolesAndSearchPathsHaveStatementsOfTheirOwn(t *testing.T) {
	w := newWorld(t, "create schema other", "create table other.item (id int, name text)",
		"insert into other.item values (1, 'other 1')")
	pgtest.Exec(t, w.super,
		"grant usage on schema other to public; grant select on other.item to public",
		"alter table item enable row level security",
		"create policy ann on item to "+w.ann+" using (id <= 2)",
		"create policy bert on item to "+w.bert+" using (id > 2)")
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	for range 10 { // past the point where the server makes a generic plan
		for tx, want := range map[*pg.Tx]string{
			as(w.ann):                          "item 1",
			as(w.bert):                         "item 3",
			{Role: w.ann, SearchPath: "other"}: "other 1",
		} {
			if got := value(t, db, tx, "select name from item order by id limit $1::int", "1"); got != want {
				t.Errorf("%s in %s sees %s, want %s", tx.Role, tx.SearchPath, got, want)
			}
		}
	}
	if n := p.take().count('P'); n != 4 {
		t.Errorf("%d statements prepared, want the settings and one for each", n)
	}
}

func TestStatementsOutliveChangesOfTheSchema(t *testing.T) {
	for _, isolation := range []string{"", "repeatable read"} {
		t.Run("isolation "+isolation, func(t *testing.T) { changeTheSchema(t, isolation) })
	}
}

func changeTheSchema(t *testing.T, isolation string) {
	w := newWorld(t,
		"create type mood as enum ('sad', 'glad')",
		"create table thing (id int, name text, mood mood default 'sad')", "insert into thing values (1, 'one')",
		"create function twice(int) returns int language sql as 'select $1 * 2'",
		"grant all on all tables in schema public to public")
	p, dsn := newProxy(t, w.dsn)
	const conns = 3
	db := run(t, pg.Options{DSN: dsn, MaxConns: conns})
	tx := as(w.ann)
	tx.Isolation = isolation
	statements := []pg.Statement{
		statement("select count(*) from item where id = $1::int", "1"),
		statement("select * from thing where id = $1", "1"),
		statement("select mood from thing where mood = $1::mood", "sad"),
		statement("select twice($1)", "4"),
	}
	// All connections have stale statements, and every read must get over it.
	readAll := func(what string) {
		t.Helper()
		if !t.Run(what, func(t *testing.T) { readOnAll(t, db, tx, conns, statements...) }) {
			t.FailNow()
		}
	}
	readAll("nothing")
	for _, ddl := range []string{
		"alter table thing add column more int",
		"alter table thing drop column more",
		"alter table thing alter column id type text",
		"alter table thing alter column id type bigint using id::bigint",
		"alter table thing rename column name to title",
		"drop table thing; create table thing (id int, mood mood); grant all on thing to public; insert into thing values (1, 'sad')",
		"alter table thing alter column mood type text; drop type mood; create type mood as enum ('sad'); alter table thing alter column mood type mood using mood::mood",
		"drop function twice(int); create function twice(text) returns text language sql as 'select $1 || $1'",
	} {
		pgtest.Exec(t, w.super, ddl)
		readAll(ddl)
	}
	readAll("all")
	p.take()
	readAll("nothing again")
	if seen := p.take(); seen.count('P') != 0 || seen.opened != 0 {
		t.Errorf("not back in the steady state: %v", seen.messages)
	}
}

// TestStatementsThatAPoolerTakesAway stands for a pooler that cleans its server connections, or gives us another one.
func TestStatementsThatAPoolerTakesAway(t *testing.T) {
	w := newWorld(t)
	for _, clean := range []string{"discard all", "deallocate all"} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
		point := statement("select name from item where id = $1::int", "7")
		for round := range 3 {
			g := &got{}
			if err := db.Read(t.Context(), as(w.ann), []pg.Statement{point, statement("select 1"), statement("select 2")}, g); err != nil {
				t.Fatalf("%s, round %d: %v", clean, round, err)
			}
			if len(g.rows) != 3 || g.rows[0][0] != "item 7" {
				t.Errorf("%s, round %d: %v", clean, round, g.rows)
			}
			onTheConnection(t, db, clean)
		}
		if got := value(t, db, as(w.ann), preparedCount); got != "2" {
			t.Errorf("%s: the server has %s statements", clean, got)
		}
	}
}

// onTheConnection runs SQL outside of any transaction on the connection that reads get.
func onTheConnection(t testing.TB, db *pg.DB, sql string) {
	t.Helper()
	if err := db.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestSessionsNeverShareAName: a pooler may give one session's server connection to another.
func TestSessionsNeverShareAName(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	names := map[string]bool{}
	for range 2 {
		db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
		read(t, db, as(w.ann), "select 1")
		for _, m := range p.take().messages {
			if m[0] == 'P' {
				name, _, _ := strings.Cut(m[1:], `\x00`)
				if names[name] {
					t.Errorf("%s is used twice", name)
				}
				names[name] = true
			}
		}
	}
	if len(names) != 4 {
		t.Errorf("names: %v", names)
	}
}

func TestUnpreparedLeavesNothingOnTheServer(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Unprepared: true})
	for range 3 {
		if got := value(t, db, as(w.ann), "select name from item where id = $1::int", "7"); got != "item 7" {
			t.Error(got)
		}
		onTheConnection(t, db, "discard all")
	}
	if got := value(t, db, as(w.ann), preparedCount); got != "0" {
		t.Errorf("the server has %s statements", got)
	}
}

// TestAnErrorOfTheStatementItselfIsNoReasonToTryAgain: only what was prepared earlier can be out of date.
func TestAnErrorOfTheStatementItselfIsNoReasonToTryAgain(t *testing.T) {
	w := newWorld(t, "create function fails() returns int language plpgsql as $$ begin raise sqlstate '42P01'; end $$")
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	for range 2 {
		p.take()
		if _, err := tryRead(t.Context(), db, as(w.ann), "select nothing"); code(err) != "42703" {
			t.Error(err)
		}
		if seen := p.take(); seen.count('S') != 1 {
			t.Errorf("tried again: %v", seen.messages)
		}
	}
	for range 3 {
		p.take()
		if _, err := tryRead(t.Context(), db, as(w.ann), "select fails()"); code(err) != "42P01" {
			t.Error(err)
		}
		if seen := p.take(); seen.count('S') != 1 {
			t.Errorf("tried again: %v", seen.messages)
		}
	}
}
