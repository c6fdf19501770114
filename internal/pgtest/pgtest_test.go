package pgtest_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabaseIsEmptyAndUTF8(t *testing.T) {
	dsn := pgtest.Database(t)
	got := pgtest.Value(t, dsn, `select concat_ws(' ', pg_encoding_to_char(encoding), datcollate, datctype,
		(select count(*) from pg_class where relnamespace = 'public'::regnamespace))
		from pg_database where datname = current_database()`)
	if got != "UTF8 C C 0" {
		t.Errorf("got %q", got)
	}
}

func TestDatabaseIsDroppedAfterTheTest(t *testing.T) {
	var dsn string
	t.Run("user", func(t *testing.T) {
		dsn = pgtest.Database(t)
		pgtest.Exec(t, dsn, `create table a ()`, `create table b ()`)
	})
	name := dsn[strings.LastIndex(dsn, "/slipstream_test_")+1:]
	name, _, _ = strings.Cut(name, "?")
	if got := pgtest.Value(t, pgtest.ServerDSN(t), `select count(*) from pg_database where datname = $1`, name); got != "0" {
		t.Errorf("database %s is still there", name)
	}
}
