// Package check looks at a database and tells what Slipstream would lack there: what it found, what each missing thing
// costs, and how to mend it.
//
// It changes nothing in the database and knows nothing of HTTP. Imported by cmd/slipstream.
package check
