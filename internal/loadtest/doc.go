// Package loadtest sends HTTP requests at the times at which they are to be sent, whatever the server does, and counts what
// comes back.
//
// Latency counts from when a request was due, so that the time in which a slow server keeps requests from being sent is not
// left out (coordinated omission; Gil Tene, "How NOT to Measure Latency"). A Load says what is sent, Run sends it, a Result
// tells what came of it. It knows nothing of Slipstream: any HTTP server can be its target. Package scenario makes loads of
// files, and package report shows results. Imported by cmd/slipstream.
package loadtest
