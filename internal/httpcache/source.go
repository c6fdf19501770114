package httpcache

import (
	"crypto/sha256"
	"net/http"
	"time"
)

// Source makes the answers to GET. It finds a cache.Fill in the context of a request whose answer is to be kept, and has
// to tell it what the answer depends on; an answer of which it does not is not kept. Such a request is answered in full: its
// If-None-Match is for others, who may get the same answer, not asked for.
type Source interface {
	http.Handler
	// AppendRequest appends all of a GET that its answer can depend on, but for who asks and for what is in the store
	// behind the source. No two requests of which anything differs may give the same bytes.
	AppendRequest(dst []byte, r *http.Request) []byte
	// Shape looks at a GET more closely. It is remembered for all requests with the same bytes of AppendRequest.
	Shape(r *http.Request) Shape
}

// Shape is what is known of requests that are the same but for who sends them.
type Shape interface {
	// Valid is false when the shape has to be made anew, because the source has changed since.
	Valid() bool
	// Bypass says in a few words why answers must not be kept; empty if they may be. The kind of that reason is one of a
	// few, for metrics.
	Bypass() (kind, because string)
	// Version is the same where shapes are made from the same, also in other processes; zero where answers are not shared.
	Version() [sha256.Size]byte
	// Unfollowed is Bypass for what can change from one moment to the next: whether the source tells the changes of all that
	// answers depend on. It is asked before an answer is fetched to be kept.
	Unfollowed() (kind, because string)
	// Limited reports whether answers may be kept for a time although changes of what they depend on are not told.
	Limited() bool
	// Grace is for how long after their time such answers may be served while they are fetched anew, and where that fails.
	Grace() (whileRevalidate, ifError time.Duration)
	// Route names the kind of request in metrics.
	Route() string
	// Public reports whether caches on the way may keep answers for anonymous callers, and for how long they may use them
	// without asking again.
	Public() (public bool, maxAge time.Duration)
	// Tags name what the answers are about, in a few visible characters without commas and quotes each.
	Tags() []string
	// AppendCaller appends who asks, as far as the answer depends on it: callers who get the same bytes may be given the
	// same answer.
	AppendCaller(dst []byte, r *http.Request) []byte
}
