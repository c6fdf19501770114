package httpcache

import (
	"context"
	"net/http"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
)

// Answers of limited shapes may be served after their time (RFC 5861), within what the configuration allows: while they are
// fetched anew, and where that fails. A client may ask for less than that, and for no more. One that was dropped by a change or
// a purge is gone.

// The kinds of stale answers, as metrics count them.
const (
	staleRevalidate = "swr"
	staleIfError    = "sie"
	staleAccepted   = "max-stale"
)

// renewalTime is how long it may take to fetch an answer anew that nobody waits for.
const renewalTime = 30 * time.Second

// pause is for how long after a failure an answer is not asked for again.
const pause = time.Second

// late answers when nothing fresh is kept.
func (x *exchange) late(w http.ResponseWriter) {
	var e *cache.Entry
	var late time.Duration
	if x.shape.Limited() && !x.asks.token {
		e, late = x.options.Cache.Late(x.key)
	}
	if e == nil {
		x.fill(w, "miss")
		return
	}
	revalidate, ifError := e.Grace()
	most := max(revalidate, ifError)
	switch acceptable := seconds(e.Confirmed()) <= x.asks.maxAge; {
	case acceptable && late < 0 && x.asks.onlyIfCached:
		x.stale(w, e, late, staleAccepted)
	case acceptable && x.asks.minFresh == 0 && revalidate > 0 && late <= revalidate:
		x.renew(e)
		x.stale(w, e, late, staleRevalidate)
	case acceptable && late <= most && within(late, x.asks.maxStale):
		x.renew(e)
		x.stale(w, e, late, staleAccepted)
	default:
		forgiving := acceptable && (late <= ifError || late <= most && within(late, x.asks.staleIfError))
		x.orElse(w, e, late, forgiving)
	}
}

// stale answers by an entry whose time is over, or nearly.
func (x *exchange) stale(w http.ResponseWriter, e *cache.Entry, late time.Duration, kind string) {
	x.hit(w, x.r, e, e.Confirmed(), x.shape, x.caller, statusOfHit(e))
	if late >= 0 {
		x.options.Metrics.CacheStale(kind)
	}
}

// orElse has the source answer. Where it cannot, as the database has failed, and the caller is forgiving, the entry
// answers. Where the source refuses the request, the entry is wrong.
func (x *exchange) orElse(w http.ResponseWriter, e *cache.Entry, late time.Duration, forgiving bool) {
	kept := e.Value().(*answer)
	if forgiving && kept.failing(e) {
		x.stale(w, e, late, staleIfError)
		return
	}
	attempt := &attempt{ResponseWriter: w, header: http.Header{}}
	attempt.forgives = func() bool { // what was dropped meanwhile is gone
		now, _ := x.options.Cache.Late(x.key)
		return forgiving && now == e
	}
	x.fill(attempt, "stale")
	x.drop(e, attempt.code)
	if !attempt.failed {
		return
	}
	kept.failed.Store(int64(e.Age()))
	if late >= 0 {
		x.options.Metrics.CacheStale(staleIfError)
	}
	header := w.Header()
	if !x.options.Silent {
		header["Cache-Status"] = []string{statusOfFailure(e, attempt.code)}
	}
	header["Age"] = ageField(e.Confirmed())
	kept.serve(w, x.r, e, x.caller)
}

// failing reports whether the database has failed just now to give the answer. Where it does not answer at all, requests
// would wait for it in vain, one after the other.
func (a *answer) failing(e *cache.Entry) bool {
	at := a.failed.Load()
	return at != 0 && e.Age()-time.Duration(at) < pause
}

// drop removes the entry if the source has refused what it answers.
func (x *exchange) drop(e *cache.Entry, code int) {
	if code < http.StatusBadRequest || code >= http.StatusInternalServerError {
		return
	}
	if now, _ := x.options.Cache.Inspect(x.key); now == e {
		x.options.Cache.Purge(x.key)
	}
}

// renew has the answer fetched in the background, unless somebody does so already or too many are being fetched.
func (x *exchange) renew(old *cache.Entry) {
	if x.options.Background == nil {
		return
	}
	fill, first := x.options.Cache.Fill(x.key)
	if !first {
		return
	}
	if !x.shape.Valid() {
		fill.Abandon()
		return
	}
	again := x.r.Clone(x.r.Context()) // the request ends before
	again.Method, again.Body = http.MethodGet, http.NoBody
	started := x.options.Background(func(ctx context.Context) {
		defer fill.Abandon()
		ctx, cancel := context.WithTimeout(auth.WithCaller(ctx, x.caller), renewalTime)
		defer cancel()
		nobody := &attempt{header: http.Header{}, unheard: true}
		x.fetch(nobody, again.WithContext(ctx), fill, x.shape, x.caller, "stale")
		x.drop(old, nobody.code)
	})
	if !started {
		fill.Abandon()
	}
}

// attempt is a http.ResponseWriter that keeps a failure of the database to itself, if it is forgiven.
type attempt struct {
	http.ResponseWriter
	header   http.Header
	forgives func() bool
	unheard  bool // there is nobody to answer, and nothing to forgive
	code     int
	failed   bool
}

func (w *attempt) Header() http.Header { return w.header }

// Unwrap lets http.ResponseController find the connection.
func (w *attempt) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *attempt) WriteHeader(code int) {
	if w.code != 0 || code < 200 {
		return
	}
	w.code = code
	w.failed = !w.unheard && code >= http.StatusInternalServerError && apierr.Unavailable(apierr.CodeIn(w.header)) && w.forgives()
	if !w.failed && !w.unheard {
		merge(w.ResponseWriter.Header(), w.header)
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *attempt) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.failed || w.unheard {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController looks for.
func (w *attempt) FlushError() error {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.failed || w.unheard {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}
