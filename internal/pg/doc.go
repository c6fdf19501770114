// Package pg is the way to PostgreSQL: pools, the transaction with a caller's
// role and claims, one round trip per read, streams, and recovery.
//
// It is the only package of the request path that imports pgx, and it knows
// nothing of HTTP or of the grammar. Imported by schema, feed, rest and the
// root package.
package pg
