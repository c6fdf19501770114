package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Rows are the rows of a query outside the request path.
type Rows = pgx.Rows

// Querier runs queries outside the request path: catalog reads, checks.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
}
