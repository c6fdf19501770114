// Package promises holds the tests of what the cache promises, from outside: a whole server, a PostgreSQL whose rows other
// programs change, and counts of the answers that were wrong. The short forms belong to make test. Where the environment
// variable PROMISES is full, the same tests run much longer and write docs/promises.md: make promises.
//
// It has no code of its own and nobody imports it.
package promises
