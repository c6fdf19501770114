// Package ratelimit refuses requests that are over a quota: policies for the whole API, for single routes and methods, for
// users, API keys and addresses, any number of them at once. It tells clients what is left in the fields RateLimit-Policy and
// RateLimit (draft-ietf-httpapi-ratelimit-headers-11).
//
// It counts with package limit and knows neither files nor Redis. Imported by the root package.
package ratelimit
