// Package idemkey makes writes that carry an Idempotency-Key
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/) happen once: the key's syntax, who may
// be given which answer, and the table of answers with the functions on it.
//
// It knows what to run around a write, and not how a request becomes one or an answer is sent. Imported by rest, check,
// the root package and cmd/slipstream.
package idemkey
