// Package pg is the way to PostgreSQL: pools, the transaction with a caller's
// role and claims, one round trip per read, streams, and recovery.
//
// Read and Write are the hot path. A trip encodes settings and statements into
// one pipeline, writes it to a connection of the pool and passes the rows on as
// they come; session knows what the connection has prepared, and canceller ends
// what nobody waits for any more. Transact and Catalog give pgx's transactions
// to code that asks the database more than once. Listen and Connect have
// connections of their own.
//
// It is the only package of the request path that imports pgx, and it knows
// nothing of HTTP or of the grammar. Imported by schema, feed, rest and the
// root package.
package pg
