// Package request turns a URL, its headers and the method into the abstract
// syntax tree of PostgREST's grammar: what is asked, with nothing resolved.
//
// It is pure: no database, no schema, no clock. Which names exist and how they
// relate is decided by package plan. Imported by plan and rest.
package request
