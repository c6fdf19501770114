// Package plan turns a request's tree and the schema snapshot into one SQL
// statement with its arguments and the shape of its result.
//
// It is pure: it touches no database. A plan depends on the shape of a request
// only, never on its values, so it can be cached and its statement prepared.
// Imported by rest.
//
// A read becomes a tree of levels (tree.go): the relation or function at the
// top and the embeds below it, each with its filters, order and window. The
// tree is resolved against the snapshot step by step, in PostgREST's order, and
// then written: a level is a SELECT, an embed a lateral join that gives its
// parent one JSON value, or its columns (spread.go). statement.go puts the
// SELECT around it that counts and renders; keyset.go that of a cursor page.
//
// Three rules keep the SQL safe and PostgreSQL from misreading it. Values are
// arguments, without exception. The names that clients choose, and those of
// the catalog, are quoted; types in casts are not, but the grammar lets only
// identifiers through. And our own names give way: table aliases are unique
// where they are in sight (alias.go), whole rows are written as table.*, and
// groups go by position, so that no column of that name can take their place.
package plan
