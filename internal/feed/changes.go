package feed

import (
	"context"
	"fmt"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// SchemaChanges are the transactions with ids from Since on that changed the schema, as far as one snapshot sees them. Who
// sees another Count sees another schema.
type SchemaChanges struct {
	Since, Count int64
}

// changesReadable is true where the table of them is there and can be read. to_regclass would fail for a schema that may not
// be used.
const changesReadable = `exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where n.nspname = 'slipstream' and c.relname = 'schema_change'
	and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))`

// ReadSchemaChanges tells which changes a transaction sees. Since is chosen so that all before are over. Without an
// installation there are none.
func ReadSchemaChanges(ctx context.Context, q pg.Querier) (c SchemaChanges, err error) {
	const installed = "select " + changesReadable + ", pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
	var there bool
	if err := one(ctx, q, installed, &there, &c.Since); err != nil || !there {
		return c, err
	}
	const count = "select count(*) from slipstream.schema_change where xid >= (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
	return c, one(ctx, q, count, &c.Count)
}

func one(ctx context.Context, q pg.Querier, sql string, into ...any) error {
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("read the changes of the schema: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read the changes of the schema: %w", err)
		}
	}
	return rows.Err()
}
