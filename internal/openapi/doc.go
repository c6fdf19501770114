// Package openapi describes the API of one schema: OpenAPI 2.0 as PostgREST v16 writes it (Document2), and OpenAPI 3.1
// (Document31). Both are made of the catalog's snapshot and of what the caller may see, which one statement, run as the
// caller, finds out (AccessSQL).
//
// It runs nothing and knows no HTTP. Equal input gives equal bytes, so that documents can be cached; the work grows
// linearly with the schema. Imported by rest.
package openapi
