// Package rest is the data API's http.Handler: it parses a request, plans it,
// runs it as the caller and renders the answer.
//
// The caller has been verified before (package auth) and is in the request's
// context. Imported by the root package.
package rest
