// Package plan turns a request's tree and the schema snapshot into one SQL
// statement with its arguments and the shape of its result.
//
// It is pure: it touches no database. A plan depends on the shape of a request
// only, never on its values, so it can be cached and its statement prepared.
// Imported by rest.
package plan
