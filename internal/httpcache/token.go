package httpcache

import (
	"context"
	"net/http"

	"github.com/slipstream-go/slipstream/cache"
)

// Token is a header field by which a request asks for an answer from a state that is not older than one it knows of.
//
// Once all changes up to that state were given to the cache, a look-up gives nothing older, and neither does a fill under
// way, however long ago it has read: none of them makes wrong what may be served after that (see package cache). What the
// source answers from then on is no older anyway.
type Token struct {
	// Field is the field's name in canonical form; empty for none.
	Field string
	// Behind says in a few words why the cache may not have all changes up to the state that the field's values tell of,
	// or nothing. It may wait for a moment.
	Behind func(ctx context.Context, values []string) (because string)
}

// unfollowed is why a request with a token goes by the cache that would get what changes do not end.
const unfollowed = "brings a token, and the answer is kept for a time whatever changes"

// declines says why a request goes by the cache whatever it asks for.
func (h *Handler) declines(r *http.Request, asks *directives) (kind, because string) {
	if asks.noCache {
		return byRequest, fwdRequest
	}
	if malformed(r.Header) {
		return byRequest, "If-None-Match cannot be read"
	}
	values, ok := r.Header[h.options.Token.Field]
	if !ok {
		return "", ""
	}
	asks.token = true
	return byToken, h.options.Token.Behind(r.Context(), values)
}

// mayHave reports whether the entry can answer the request, as far as its token is concerned.
func (d *directives) mayHave(e *cache.Entry) bool { return !d.token || e.Followed() }
