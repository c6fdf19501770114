// Command benchmark is what `make bench` runs: Slipstream, loaded by wrk, side by side with pgbench running the very SQL
// that Slipstream makes of the requests, on the same database and with as many connections. With -stream it shows
// instead that a result of a gigabyte passes through in bounded memory.
//
// With -load it measures the load generator that slipstream bench has, beside wrk. With -overload it sends three times as
// much as the database can do.
//
// It measures the program from outside, as a process; benchmarks of single functions are beside their tests. It writes
// docs/benchmarks.md. Nothing imports it.
package main
