package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Defaults of Config.
const (
	DefaultCacheMaxEntries = 1000
	DefaultCacheMaxBytes   = 16 << 20
	DefaultJWKSRefresh     = 10 * time.Minute
)

// Config says who is believed and who they are.
type Config struct {
	// AnonRole is the role of callers without a token or whose token names no
	// role (db-anon-role). Empty refuses them.
	AnonRole string
	// Secret verifies tokens (jwt-secret): text of at least 32 bytes, which
	// verifies HS256 alone, a JWK, a JWK set, or the https address of a JWK set.
	// http is for loopback hosts. Empty refuses every token.
	Secret string
	// SecretIsBase64 says that Secret is base64, of either alphabet
	// (jwt-secret-is-base64). It is ignored for addresses.
	SecretIsBase64 bool
	// Audience must be among the audiences of a token that names some (jwt-aud).
	// Empty accepts every audience.
	Audience string
	// RoleClaimKey is where the role is in the claims (jwt-role-claim-key): an
	// RFC 9535 path such as $.roles[0], or PostgREST's older syntax. Default $.role.
	RoleClaimKey string
	// CacheMaxEntries is how many verified tokens are remembered
	// (jwt-cache-max-entries). 0 remembers none; see DefaultCacheMaxEntries.
	CacheMaxEntries int
	// CacheMaxBytes bounds the memory of these. Default DefaultCacheMaxBytes.
	CacheMaxBytes int
	// JWKSRefresh is how long a fetched key set is used before it is fetched again; a
	// shorter Cache-Control max-age is respected. It bounds how long a key that the
	// issuer withdrew is still believed. Default DefaultJWKSRefresh.
	JWKSRefresh time.Duration
	// Client fetches the JWK set. Default: a client of its own. Its CheckRedirect
	// is replaced.
	Client *http.Client
	// Logger gets what the operator should know of keys. Default: nothing is logged.
	Logger *slog.Logger
	// Metrics counts the lookups of the cache; nil counts nothing.
	Metrics *telemetry.Metrics
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Verifier turns an Authorization header into a Caller. It is safe for
// concurrent use. A changed configuration takes a new Verifier.
type Verifier struct {
	audience  string
	anonRole  string
	anonymous *Caller // nil if anonymous access is disabled
	role      rolePath
	now       func() time.Time
	log       *slog.Logger
	metrics   *telemetry.Metrics
	cacheMax  struct{ entries, bytes int }
	keys      atomic.Pointer[keySet] // nil as long as there are none
	remote    *remote                // nil unless the secret is an address
}

// keySet is the keys of one moment with the tokens that they verified: when the
// keys change, everything that rested on the old ones goes with them.
type keySet struct {
	keys  []key
	cache *tokenCache
}

// New checks the configuration. It opens nothing and starts no goroutine.
func New(c Config) (*Verifier, error) {
	v := &Verifier{audience: c.Audience, anonRole: c.AnonRole, now: c.Now, log: c.Logger, metrics: c.Metrics}
	if v.now == nil {
		v.now = time.Now
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	v.cacheMax.entries, v.cacheMax.bytes = c.CacheMaxEntries, c.CacheMaxBytes
	if v.cacheMax.bytes == 0 {
		v.cacheMax.bytes = DefaultCacheMaxBytes
	}
	if c.AnonRole != "" {
		v.anonymous = &Caller{
			Role: c.AnonRole, Claims: claims{}.encode(c.AnonRole), Anonymous: true, AnonRole: true,
		}
	}
	if err := checkOurAudience(c.Audience); err != nil {
		return nil, err
	}
	var err error
	if v.role, err = parseRolePath(c.RoleClaimKey); err != nil {
		return nil, fmt.Errorf("jwt-role-claim-key: %w", err)
	}
	if err := v.setSecret(c); err != nil {
		return nil, fmt.Errorf("jwt-secret: %w", err)
	}
	return v, nil
}

func (v *Verifier) setSecret(c Config) error {
	switch {
	case c.Secret == "":
		return nil
	case isURL(c.Secret):
		var err error
		v.remote, err = newRemote(c, v)
		return err
	}
	keys, skipped, err := parseSecret(c.Secret, c.SecretIsBase64)
	if err != nil {
		return err
	}
	for _, reason := range skipped {
		v.log.Warn("a key of jwt-secret cannot be used", "reason", reason)
	}
	v.use(keys)
	return nil
}

// checkOurAudience applies RFC 7519's StringOrURI, as PostgREST does.
func checkOurAudience(aud string) error {
	if !strings.Contains(aud, ":") {
		return nil
	}
	if u, err := url.Parse(aud); err != nil || u.Scheme == "" {
		return fmt.Errorf("jwt-aud: %q has a colon, but is not a URI", aud)
	}
	return nil
}

// use makes these the keys, and forgets the tokens that others verified.
func (v *Verifier) use(keys []key) {
	v.keys.Store(&keySet{keys: keys, cache: newTokenCache(v.cacheMax.entries, v.cacheMax.bytes, v.metrics.JWTEvicted)})
}

// Run keeps the keys behind a JWK set's address fresh until ctx ends, and
// returns nil then. Without an address it returns nil at once.
func (v *Verifier) Run(ctx context.Context) error {
	if v.remote == nil {
		return nil
	}
	return v.remote.run(ctx)
}

// Caller says who sends a request with this Authorization header; absent is "".
// Schemes other than Bearer count as absent.
//
// It may wait for a key set that is being fetched, as long as ctx lives. The
// error is an *apierr.Error: PGRST300 without a secret, PGRST301 for a token
// that cannot be verified, PGRST302 for anonymous callers where there is no
// anonymous role, PGRST303 for claims that forbid the token's use, SLIP300 as
// long as no key set could be fetched.
func (v *Verifier) Caller(ctx context.Context, authorization string) (*Caller, error) {
	raw, ok := bearerToken(authorization)
	if ok {
		return v.verify(ctx, raw)
	}
	if v.anonymous == nil {
		return nil, errAnonymous()
	}
	return v.anonymous, nil
}

func (v *Verifier) verify(ctx context.Context, raw string) (*Caller, error) {
	set, err := v.currentKeys(ctx)
	if err != nil {
		return nil, err
	}
	var onStack [1024]byte // most tokens fit, and cost no allocation
	d := digest(sha256.Sum256(append(onStack[:0], raw...)))
	e := set.cache.get(&d)
	if set.cache != nil {
		v.metrics.JWTLookup(e != nil)
	}
	if e != nil {
		if err := e.validity.check(v.now()); err != nil {
			set.cache.remove(e)
			return nil, err
		}
		return e.caller, nil
	}
	t, err := parseToken(raw)
	if err != nil {
		return nil, err
	}
	if v.remote != nil && !set.knows(t) {
		set = v.remote.newerThan(ctx, set)
	}
	if err := verify(set.keys, t); err != nil {
		return nil, err
	}
	caller, validity, err := v.callerOf(t.payload)
	if err != nil {
		return nil, err
	}
	set.cache.put(&d, caller, validity)
	return caller, nil
}

func (v *Verifier) currentKeys(ctx context.Context) (*keySet, error) {
	if set := v.keys.Load(); set != nil {
		return set, nil
	}
	if v.remote == nil {
		return nil, errNoSecret()
	}
	if set := v.remote.newerThan(ctx, nil); set != nil {
		return set, nil
	}
	return nil, v.remote.unavailable()
}

// knows tells whether a key has the token's kid; a token without one asks for
// no particular key.
func (s *keySet) knows(t *token) bool {
	if !t.hasKid {
		return true
	}
	for _, k := range s.keys {
		if k.hasID && k.id == t.kid {
			return true
		}
	}
	return false
}

// callerOf checks the claims of a token whose signature is verified.
func (v *Verifier) callerOf(payload []byte) (*Caller, validity, error) {
	c, err := parseClaims(payload)
	if err != nil {
		return nil, validity{}, err
	}
	valid, err := c.validity()
	if err != nil {
		return nil, valid, err
	}
	if err := valid.check(v.now()); err != nil {
		return nil, valid, err
	}
	if err := c.checkAudience(v.audience); err != nil {
		return nil, valid, err
	}
	role, err := v.roleOf(c)
	if err != nil {
		return nil, valid, err
	}
	subject, _ := stringOf(c["sub"])
	return &Caller{
		Role: role, Claims: c.encode(role), AnonRole: role == v.anonRole,
		Subject: subject, Expires: valid.expiry(),
	}, valid, nil
}

func (v *Verifier) roleOf(c claims) (string, error) {
	role, ok := v.role.find(c)
	switch {
	case ok && role == "none":
		return "", errReservedRole(role)
	case ok:
		return role, nil
	case v.anonRole == "":
		return "", errAnonymous()
	}
	return v.anonRole, nil
}
