package httpcache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Options configure a Handler.
type Options struct {
	Cache  *cache.Cache
	Source Source
	// Shapes is how many shapes of requests are remembered; default 65,536.
	Shapes int
	// Wait is how long a request waits for another one that fetches the same answer, before it goes by itself; default 2 s.
	Wait time.Duration
	// MaxBody is the largest body that is kept, in bytes; default 1 MiB.
	MaxBody int
	// Silent leaves the header Cache-Status out.
	Silent bool
	// Metrics counts requests that go by the cache; nil counts nothing.
	Metrics *telemetry.Metrics
	// Tags are the header fields that tell what an answer is about.
	Tags TagFields
	// Token is by what requests ask for a state that is not older than one.
	Token Token
	// Limited is true where some shapes are: then answers may be kept while the cache is not open.
	Limited bool
	// Background calls a function on a goroutine of its own, with a context that ends with the server, or returns false if it
	// cannot do so now. nil never can.
	Background func(func(context.Context)) bool
	// Generation is part of every key: handlers whose sources answer differently have different ones.
	Generation uint64
	// Namespace is what answers have in common with those of other processes, which share them by the cache's Tier; nil
	// shares none.
	Namespace func() Namespace
}

// Handler serves what is in the cache, and has the source answer the rest.
type Handler struct {
	options Options
	shapes  *otter.Cache[requestHash, Shape]
}

// requestHash is all of it, not half as in a cache.Key: who finds two requests with the same one, of which it may take
// billions of billions of attempts, could have one judged by the other's shape.
type requestHash = [sha256.Size]byte

// New makes a handler; it starts nothing.
func New(o Options) *Handler {
	if o.Shapes == 0 {
		o.Shapes = 1 << 16
	}
	if o.Wait == 0 {
		o.Wait = 2 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	return &Handler{
		options: o,
		shapes:  otter.Must(&otter.Options[requestHash, Shape]{MaximumSize: o.Shapes}),
	}
}

// ServeHTTP answers a request whose caller is known.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	open := h.options.Cache.IsOpen()
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !open && !h.options.Limited {
		h.options.Source.ServeHTTP(w, r)
		return
	}
	caller := auth.CallerFrom(r.Context())
	if caller == nil { // the source knows what to say
		h.options.Source.ServeHTTP(w, r)
		return
	}
	key, shape := h.find(r)
	if !open && !shape.Limited() {
		h.options.Source.ServeHTTP(w, r)
		return
	}
	asks := requestDirectives(r.Header)
	if kind, because := h.declines(r, &asks); because != "" {
		h.forward(w, r, caller, asks, kind, because)
		return
	}
	if kind, because := shape.Bypass(); because != "" {
		h.forward(w, r, caller, asks, kind, because)
		return
	}
	e, age := h.options.Cache.GetConfirmed(key)
	switch {
	case e == nil:
		x := exchange{h, r, key, shape, caller, asks}
		x.late(w)
	case !asks.mayHave(e):
		h.forward(w, r, caller, asks, byToken, unfollowed)
	case seconds(age) > asks.maxAge:
		h.forward(w, r, caller, asks, byRequest, "is older than the request's max-age")
	case asks.minFresh > 0 && !asks.staysFresh(e):
		h.forward(w, r, caller, asks, byRequest, "is not fresh for as long as the request's min-fresh")
	default:
		h.hit(w, r, e, age, shape, caller, statusOfHit(e))
	}
}

// forward is bypass for a request that may want no such thing.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, caller *auth.Caller, asks directives, kind, because string) {
	if asks.onlyIfCached {
		h.refuse(w)
		return
	}
	h.bypass(w, r, caller, kind, because)
}

// refuse answers a request that wants what is in the cache or nothing (RFC 9111, section 5.2.1.7).
func (h *Handler) refuse(w http.ResponseWriter) {
	header := w.Header()
	header["Cache-Control"] = []string{"no-store"}
	if !h.options.Silent {
		header["Cache-Status"] = []string{`Slipstream; detail="only-if-cached"`}
	}
	w.WriteHeader(http.StatusGatewayTimeout)
}

// find gives the key of the answer to r, and what kind of request it is.
func (h *Handler) find(r *http.Request) (cache.Key, Shape) {
	buf := keyBuffers.Get().(*[]byte)
	defer keyBuffers.Put(buf)
	b := binary.BigEndian.AppendUint64((*buf)[:0], h.options.Generation)
	b = h.options.Source.AppendRequest(b, r)
	sum := sha256.Sum256(b)
	shape, known := h.shapes.GetIfPresent(sum)
	if !known || !shape.Valid() {
		shape = h.options.Source.Shape(r)
		h.shapes.Set(sum, shape)
	}
	// What comes first has a fixed length, so that no caller can be taken for a part of the request.
	b = shape.AppendCaller(append(b[:0], sum[:]...), r)
	*buf = b
	sum = sha256.Sum256(b)
	return cache.Key(sum[:16]), shape
}

var keyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// hit answers from the cache.
func (h *Handler) hit(w http.ResponseWriter, r *http.Request, e *cache.Entry, age time.Duration, shape Shape, caller *auth.Caller, status []string) {
	info := telemetry.RequestFrom(r.Context())
	info.SetRoute(shape.Route())
	info.SetRole(caller.Role)
	header := w.Header()
	if !h.options.Silent {
		header["Cache-Status"] = status
	}
	header["Age"] = ageField(age)
	if timing := info.ServerTiming(); timing != "" {
		header["Server-Timing"] = []string{timing}
	}
	e.Value().(*answer).serve(w, r, e, caller)
}

// The kinds of reasons to go by the cache that are not those of a Shape.
const (
	byRequest = "request" // the request says no-cache
	byToken   = "token"   // what is kept may be older than a token
	byClosed  = "closed"  // the cache is not open
	byHead    = "head"    // HEAD, and the answer to GET is not stored
	bySchema  = "schema"  // the schema was read again meanwhile
	byShared  = "shared"  // the answer that it waited for was not stored
)

// bypass has the source answer, and nothing kept.
func (h *Handler) bypass(w http.ResponseWriter, r *http.Request, caller *auth.Caller, kind, because string) {
	h.options.Metrics.CacheBypassed(kind)
	header := w.Header()
	header["Cache-Control"] = control(caller)
	if !h.options.Silent {
		header["Cache-Status"] = []string{status(forwarded(kind), because)}
	}
	h.options.Source.ServeHTTP(w, r)
}

// fetch has another process or the source answer, and keeps that if it may.
func (h *Handler) fetch(w http.ResponseWriter, r *http.Request, fill *cache.Fill, shape Shape, caller *auth.Caller, forward string) {
	defer fill.Abandon()
	share := h.sharing(r, shape)
	if e := share.load(r.Context(), fill); e != nil {
		h.hit(w, r, e, e.Confirmed(), shape, caller, statusShared)
		return
	}
	rec := recorder{ResponseWriter: w, header: http.Header{}, most: h.options.MaxBody, caller: caller, passes: fill.Abandon}
	if !h.options.Silent {
		rec.status = []string{status(forward, "")}
	}
	h.options.Source.ServeHTTP(&rec, r.WithContext(cache.WithFill(r.Context(), fill)))
	if rec.passing {
		return // it went to the client as it came
	}
	a := rec.answer()
	if a == nil {
		rec.pass()
		return
	}
	a.publish(shape, h.options.Token.Field)
	a.label(h.options.Tags, shape.Tags())
	e := fill.End(a)
	share.offer(e)
	header := w.Header()
	if !h.options.Silent {
		detail := "stored"
		if !e.Stored() {
			detail = ""
		}
		header["Cache-Status"] = []string{status(forward, detail)}
	}
	if timing, ok := rec.header["Server-Timing"]; ok {
		header["Server-Timing"] = timing
	}
	a.serve(w, r, nil, caller)
}
