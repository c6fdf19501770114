// Package limit bounds what is asked of an upstream, so that it goes on serving. It knows no HTTP and can be used on its own.
// Imported by edge, pg, ratelimit and the root package.
package limit
