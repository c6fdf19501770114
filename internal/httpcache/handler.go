package httpcache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/http"
	"strconv"
	"strings"
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
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !h.options.Cache.IsOpen() {
		h.options.Source.ServeHTTP(w, r)
		return
	}
	caller := auth.CallerFrom(r.Context())
	if caller == nil { // the source knows what to say
		h.options.Source.ServeHTTP(w, r)
		return
	}
	asks := requestDirectives(r.Header)
	if asks.noCache {
		h.forward(w, r, caller, asks, byRequest, fwdRequest)
		return
	}
	if malformed(r.Header) {
		h.forward(w, r, caller, asks, byRequest, "If-None-Match cannot be read")
		return
	}
	key, shape := h.find(r)
	if kind, because := shape.Bypass(); because != "" {
		h.forward(w, r, caller, asks, kind, because)
		return
	}
	e, age := h.options.Cache.GetConfirmed(key)
	if e != nil && seconds(age) <= asks.maxAge {
		h.hit(w, r, e, age, shape, caller, statusHit)
		return
	}
	kind, because := shape.Unfollowed()
	switch {
	case e != nil:
		h.forward(w, r, caller, asks, byRequest, "is older than the request's max-age")
	case asks.onlyIfCached:
		h.refuse(w)
	case because != "":
		h.bypass(w, r, caller, kind, because)
	case r.Method == http.MethodHead:
		h.bypass(w, r, caller, byHead, "is not stored, and HEAD has no body to store")
	default:
		h.miss(w, r, key, shape, caller)
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
		header["Cache-Status"] = []string{status("bypass", because)}
	}
	h.options.Source.ServeHTTP(w, r)
}

// miss fetches the answer, or waits for who does.
func (h *Handler) miss(w http.ResponseWriter, r *http.Request, key cache.Key, shape Shape, caller *auth.Caller) {
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Wait)
	defer cancel()
	// Who fetches may leave on the way: then one of those who waited tries once more. After that each is on its own, as an
	// answer that could not be kept twice most likely cannot be at all, and they would line up.
	for range 2 {
		fill, first := h.options.Cache.Fill(key)
		switch {
		case first && shape.Valid():
			h.fetch(w, r, fill, shape, caller)
			return
		case first: // the source has changed since the key was made
			fill.Abandon()
			h.bypass(w, r, caller, bySchema, "the schema was read again meanwhile")
			return
		}
		e, err := fill.Wait(ctx)
		if e != nil {
			h.hit(w, r, e, e.Confirmed(), shape, caller, statusHit)
			return
		}
		if err != nil {
			break
		}
	}
	h.bypass(w, r, caller, byShared, "the same was asked for, and its answer was not stored")
}

// fetch has another process or the source answer, and keeps that if it may.
func (h *Handler) fetch(w http.ResponseWriter, r *http.Request, fill *cache.Fill, shape Shape, caller *auth.Caller) {
	defer fill.Abandon()
	share := h.sharing(r, shape)
	if e := share.load(r.Context(), fill); e != nil {
		h.hit(w, r, e, e.Confirmed(), shape, caller, statusShared)
		return
	}
	rec := recorder{ResponseWriter: w, header: http.Header{}, most: h.options.MaxBody, caller: caller, passes: fill.Abandon}
	if !h.options.Silent {
		rec.status = []string{status("miss", "")}
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
	a.publish(shape)
	a.label(h.options.Tags, shape.Tags())
	e := fill.End(a)
	share.offer(e)
	header := w.Header()
	if !h.options.Silent {
		detail := "stored"
		if !e.Stored() {
			detail = ""
		}
		header["Cache-Status"] = []string{status("miss", detail)}
	}
	if timing, ok := rec.header["Server-Timing"]; ok {
		header["Server-Timing"] = timing
	}
	a.serve(w, r, nil, caller)
}

// directives are those of a request's Cache-Control that matter here (RFC 9111, section 5.2.1).
type directives struct {
	noCache, onlyIfCached bool
	maxAge                int // seconds
}

func requestDirectives(header http.Header) directives {
	d := directives{maxAge: math.MaxInt}
	for _, line := range header["Cache-Control"] {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch {
			case strings.EqualFold(name, "no-cache"), strings.EqualFold(name, "no-store"):
				d.noCache = true
			case strings.EqualFold(name, "only-if-cached"):
				d.onlyIfCached = true
			case strings.EqualFold(name, "max-age"):
				if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
					d.maxAge = min(d.maxAge, int(n))
				}
			}
		}
	}
	return d
}
