// Package httpcache keeps answers of a handler in a cache and serves them from it: which request is which answer's,
// revalidation (RFC 9110, section 13), encodings, and what is said of it to the client (RFC 9111, RFC 9211).
//
// What an answer depends on, and so how long it holds, the handler tells the cache.Fill in its request's context. This
// package knows neither what is asked nor where answers come from. Imported by the root package.
package httpcache
