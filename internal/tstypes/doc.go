// Package tstypes writes TypeScript types for the clients of a database, in the shape that supabase-js and
// postgrest-js take as their type parameter: what "supabase gen types typescript" writes for the same schemas.
//
// Relations, functions and relationships are those of package schema; of the catalog it reads only the types itself. It
// knows nothing of requests. Imported by cmd/slipstream.
package tstypes
