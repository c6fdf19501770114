// Package apierr is the error that reaches a client: PostgREST's JSON envelope
// with its code, and the one table that gives every code its HTTP status.
//
// It is imported by every package that can refuse a request. It knows nothing
// of HTTP handlers, of SQL or of any other package of this module.
package apierr
