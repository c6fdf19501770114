package httpcache

import (
	"net/http"

	"github.com/slipstream-go/slipstream/cache"
)

// Explanation says what would be done with a GET.
type Explanation struct {
	// Kind and Because say why the request would go by the cache; empty if it would not.
	Kind, Because string
	Key           cache.Key
	Shape         Shape
	// Entry is what is kept under Key, or nil, and Refused why it would not be served now; 0 if it would.
	Entry   *cache.Entry
	Refused cache.Miss
}

// Explain looks at a GET whose caller is known. It answers nothing and changes nothing, not even counts. For a token it
// may wait for a moment, as an answer does.
func (h *Handler) Explain(r *http.Request) Explanation {
	var e Explanation
	asks := requestDirectives(r.Header)
	if e.Kind, e.Because = h.declines(r, &asks); e.Because != "" {
		return e
	}
	e.Key, e.Shape = h.find(r)
	if !h.options.Cache.IsOpen() && !e.Shape.Limited() {
		e.Kind, e.Because = byClosed, "nothing is cached now but what is kept for a time"
		return e
	}
	if e.Kind, e.Because = e.Shape.Bypass(); e.Because != "" {
		return e
	}
	e.Entry, e.Refused = h.options.Cache.Inspect(e.Key)
	switch {
	case e.Entry == nil:
		e.Kind, e.Because = e.Shape.Unfollowed()
	case !asks.mayHave(e.Entry):
		e.Kind, e.Because = byToken, unfollowed
	}
	return e
}
