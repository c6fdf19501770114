// Package promises holds the tests of what is promised, from outside. Of the cache: a whole server, a PostgreSQL whose rows other
// programs change, and counts of the answers that were wrong. Of staying up: more requests than the database can do, a database
// that stands still, and counts of those who got no answer or should have got another one. The short forms belong to make test. Where the environment
// variable PROMISES is full, the same tests run much longer and write docs/promises.md: make promises.
//
// It has no code of its own and nobody imports it.
package promises
