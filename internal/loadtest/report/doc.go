// Package report keeps, shows and compares the results of load tests.
//
// A Report is what a file has: Write and Read. Text shows it in a terminal, and HTML as a page that needs nothing but itself.
// Compare says whether one is slower than another, with a confidence, so that noise does not fail a build. It neither sends
// requests nor decides what to send: that is loadtest's. Imported by cmd/slipstream.
package report
