// Package telemetry is what a server says of itself: metrics, access log, traces,
// Server-Timing, and the settings of the Go runtime.
//
// Every part is an instance that its owner passes on; there is no registry, logger
// or tracer of the process. It knows nothing of listeners or handlers, imports no other
// package of this module and may be imported by all of them.
package telemetry
