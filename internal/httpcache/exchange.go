package httpcache

import (
	"context"
	"net/http"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
)

// exchange is a request whose answer may be kept, and is not to be had from the cache as it is.
type exchange struct {
	*Handler
	r      *http.Request
	key    cache.Key
	shape  Shape
	caller *auth.Caller
	asks   directives
}

// fill answers where nothing that is kept may be served. forward is why, as in Cache-Status.
func (x *exchange) fill(w http.ResponseWriter, forward string) {
	kind, because := x.shape.Unfollowed()
	switch {
	case x.asks.onlyIfCached:
		x.refuse(w)
	case because != "":
		x.bypass(w, x.r, x.caller, kind, because)
	case x.r.Method == http.MethodHead:
		x.bypass(w, x.r, x.caller, byHead, "is not stored, and HEAD has no body to store")
	default:
		x.miss(w, forward)
	}
}

// miss fetches the answer, or waits for who does.
func (x *exchange) miss(w http.ResponseWriter, forward string) {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.options.Wait)
	defer cancel()
	// Who fetches may leave on the way: then one of those who waited tries once more. After that each is on its own, as an
	// answer that could not be kept twice most likely cannot be at all, and they would line up.
	for range 2 {
		fill, first := x.options.Cache.Fill(x.key)
		switch {
		case first && x.shape.Valid():
			x.fetch(w, x.r, fill, x.shape, x.caller, forward)
			return
		case first: // the source has changed since the key was made
			fill.Abandon()
			x.bypass(w, x.r, x.caller, bySchema, "the schema was read again meanwhile")
			return
		}
		e, err := fill.Wait(ctx)
		if e != nil && !x.asks.mayHave(e) {
			x.bypass(w, x.r, x.caller, byToken, unfollowed)
			return
		}
		if e != nil {
			x.hit(w, x.r, e, e.Confirmed(), x.shape, x.caller, statusOfHit(e))
			return
		}
		if err != nil {
			break
		}
	}
	x.bypass(w, x.r, x.caller, byShared, "the same was asked for, and its answer was not stored")
}
