// Package slipstream serves a PostgreSQL database as a fast REST API in PostgREST's dialect.
//
// New makes a Server from a Config, Run serves until its context ends, Handle adds handlers of the program's own that
// see the same callers and the same database. The command slipstream is a thin layer over this package.
//
// It holds no state outside of a Server and needs nothing but a database. Imported by programs.
package slipstream
