package feed_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// Who may not look into our schema, as a former installation left it, sees no changes, and no error.
func TestSchemaChangesThatCannotBeRead(t *testing.T) {
	role := pgtest.Role(t, "login")
	dsn := pgtest.Database(t)
	read := func(t *testing.T) feed.SchemaChanges {
		t.Helper()
		conn, err := pg.Connect(t.Context(), as(t, dsn, role))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		c, err := feed.ReadSchemaChanges(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := read(t); c.Count != 0 || c.Since == 0 {
		t.Errorf("without an installation: %+v", c)
	}
	pgtest.Exec(t, dsn, "create schema slipstream", "create table slipstream.schema_change (xid bigint primary key)",
		"insert into slipstream.schema_change values (9000000000)")
	if c := read(t); c.Count != 0 {
		t.Errorf("without the right to use the schema: %+v", c)
	}
	pgtest.Exec(t, dsn, "grant usage on schema slipstream to public")
	if c := read(t); c.Count != 0 {
		t.Errorf("without the right to read the table: %+v", c)
	}
	pgtest.Exec(t, dsn, "grant select on slipstream.schema_change to public")
	if c := read(t); c.Count != 1 {
		t.Errorf("with all rights: %+v", c)
	}
}
