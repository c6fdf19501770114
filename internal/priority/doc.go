// Package priority says how important a request is, whose it is, and which part of the database's time it may have: what
// package limit has to know to choose who goes first and who is refused. It knows HTTP and callers; package limit does not.
// Imported by the root package.
package priority
