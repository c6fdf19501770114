// Package request turns a URL, its headers and the method into the abstract
// syntax tree of PostgREST's grammar: what is asked, with nothing resolved. The
// bodies of writes and calls it checks, converts to JSON where they are
// something else, and finds out which columns they give.
//
// The grammar is written twice. The parser (select.go, filter.go, logic.go,
// order.go) is fast and knows only whether a text is well-formed; the rules of
// grammar.go are run for the malformed ones, as PostgREST's clients see the
// messages of its parser library. Fuzz tests hold the two together.
//
// It is pure: no database, no schema, no clock. Which names exist and how they
// relate is decided by package plan. Imported by plan and rest.
package request
