// Package schema reads PostgreSQL's system catalog into an immutable snapshot:
// relations with their columns and keys, the relationships between them,
// functions, data representations and media type handlers. It also finds the
// name that a misspelt one was meant to be.
//
// What is a relationship, and the order of relationships and overloads, is as
// in PostgREST v16. The queries and the reading of views' definitions hold for
// PostgreSQL 12 to 18.
//
// It reads through package pg and knows nothing of requests. Imported by plan
// and rest.
package schema
