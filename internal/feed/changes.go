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

// ReadSchemaChanges tells which changes a transaction sees. Since is chosen so that all before are over. Without an
// installation there are none.
func ReadSchemaChanges(ctx context.Context, q pg.Querier) (c SchemaChanges, err error) {
	const installed = "select to_regclass('slipstream.schema_change') is not null, pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
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
