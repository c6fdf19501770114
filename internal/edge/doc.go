// Package edge is where requests arrive and answers leave: listeners, how many connections they
// take and how long they wait for them, their drain, the admin server, and the middleware around
// every handler (request id, access log, metrics, trace span, CORS, limits on URL and headers,
// recovery from panics).
//
// It knows nothing of what the handlers serve.
package edge
