package slipstream

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"net/http"
	"sync"

	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/ratelimit"
	"github.com/slipstream-go/slipstream/internal/writetoken"
)

// The answer to a request that has committed something has a token, which tells where in the database's log that was. An
// instance that gets it along with a read answers from its cache only when it has heard of all changes up to there.

// consistencyKey signs the tokens; nil where there are none.
func (c Config) consistencyKey() writetoken.Key {
	needless := c.CacheMode == "off" && (len(c.DBReplicas) == 0 || c.ReplicaReads == "off")
	if c.ConsistencyTokens == "off" || c.ConsistencyTokens == "auto" && needless {
		return nil
	}
	return c.derivedKey("slipstream consistency token v1")
}

// derivedKey is a key of its own for each purpose, from cursor-secret or else jwt-secret, so that instances with the same
// configuration agree; nil without either. A JWK set's public address is no secret and gives none.
func (c Config) derivedKey(purpose string) []byte {
	secret := c.CursorSecret
	if secret == "" {
		secret = c.secretMaterial()
	}
	if secret == "" {
		return nil
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, sha256.Size)
	if err != nil {
		return nil // only an impossible length is an error
	}
	return key
}

// commits are those of one request; a handler of the program's own may make several, and at the same time.
type commits struct {
	writer  uint64 // whose they are, where that is remembered
	mu      sync.Mutex
	last    pg.Position
	unknown bool // there is no place that all of them are before
}

type commitsKey struct{}

// committed is called after every commit, with the context of the request that it belongs to.
func (s *Server) committed(ctx context.Context, at pg.Position) {
	if s.caching != nil && s.caching.follows {
		s.caching.wrote(ctx, at.LSN)
	}
	c, _ := ctx.Value(commitsKey{}).(*commits)
	if c == nil {
		return
	}
	if s.replicas != nil {
		s.replicas.Wrote(c.writer, at)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case at == pg.Position{}, c.last != pg.Position{} && (at.Timeline != c.last.Timeline || at.System != c.last.System):
		c.unknown = true
	case at.LSN > c.last.LSN:
		c.last = at
	}
}

// token is empty where nothing was committed, or there are no tokens.
func (c *commits) token(key writetoken.Key) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key == nil || c.unknown || c.last == (pg.Position{}) {
		return ""
	}
	return key.Sign(writetoken.PlaceOf(c.last))
}

// exposed are the header fields that programs in browsers may read, besides PostgREST's.
func (v *serving) exposed() (fields []string) {
	if v.tokenKey != nil {
		fields = append(fields, writetoken.Header)
	}
	if v.limits != nil {
		fields = append(fields, ratelimit.Fields()...)
	}
	return fields
}

// withToken has next answer, notes what it commits, and adds the token of that.
func (v *serving) withToken(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if v.tokenKey == nil && v.writer == nil {
		next.ServeHTTP(w, r)
		return
	}
	t := &tokenWriter{ResponseWriter: w, key: v.tokenKey}
	if v.writer != nil {
		t.commits.writer = v.writer(r)
	}
	next.ServeHTTP(t, r.WithContext(context.WithValue(r.Context(), commitsKey{}, &t.commits)))
	t.setToken() // for a handler that has left the head to net/http
}

// tokenWriter sets the token before the head is written.
type tokenWriter struct {
	http.ResponseWriter
	key     writetoken.Key
	commits commits
	written bool // the head
}

func (w *tokenWriter) setToken() {
	if w.written {
		return
	}
	if token := w.commits.token(w.key); token != "" {
		w.Header()[writetoken.Header] = []string{token}
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *tokenWriter) WriteHeader(code int) {
	if code >= http.StatusOK {
		w.setToken()
		w.written = true
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *tokenWriter) Write(b []byte) (int, error) {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls.
func (w *tokenWriter) FlushError() error {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *tokenWriter) Flush() { _ = w.FlushError() }

// Unwrap lets http.ResponseController find the connection.
func (w *tokenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// token is what the cache has to know of tokens that are signed with a key.
func (k *caching) token(key writetoken.Key) httpcache.Token {
	if key == nil {
		return httpcache.Token{}
	}
	return httpcache.Token{Field: writetoken.Header, Behind: func(ctx context.Context, values []string) string {
		return k.behind(ctx, key, values)
	}}
}

// behind says why the cache may not have all changes up to the place that tokens tell of, or nothing. A token that means
// nothing here is no error: keys are changed, and standbys promoted.
func (k *caching) behind(ctx context.Context, key writetoken.Key, tokens []string) (because string) {
	place, ok := key.VerifyAll(tokens)
	if !ok {
		return "brings a token that cannot be verified"
	}
	const another = "brings a token of another history of the database"
	now := k.feed.Status()
	if now.Session == "" || !place.Within(now.System, now.Timeline) {
		return another
	}
	if !k.await(ctx, place.LSN) {
		return "brings a token of a write that has not arrived yet"
	}
	if k.feed.Status().Session != now.Session { // perhaps it was another history's log that has come so far
		return another
	}
	return ""
}
