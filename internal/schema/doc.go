// Package schema reads PostgreSQL's system catalog into an immutable snapshot:
// relations with their columns and keys, the relationships between them,
// functions, data representations and media type handlers.
//
// It reads through package pg and knows nothing of requests. Imported by plan
// and rest.
package schema
