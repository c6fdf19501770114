package auth

import "time"

// KeySource is where the keys come from.
type KeySource string

// The key sources.
const (
	NoKeys     KeySource = "none"   // no secret: tokens are refused with PGRST300
	StaticKeys KeySource = "static" // jwt-secret holds the keys
	RemoteKeys KeySource = "url"    // jwt-secret is the address of a JWK set
)

// KeyStatus says whether tokens can be verified, and with how recent keys.
type KeyStatus struct {
	Source KeySource
	// Ready is false as long as a JWK set has not been fetched once.
	Ready bool
	// Keys is how many keys are in use.
	Keys int
	// Fetched is when the JWK set was last fetched; zero for other sources.
	Fetched time.Time
	// Err is why the latest fetch failed. The keys before it stay in use.
	Err error
	// CacheEntries and CacheBytes are what remembered tokens take.
	CacheEntries, CacheBytes int
}

// KeyStatus is for health checks and metrics.
func (v *Verifier) KeyStatus() KeyStatus {
	s := KeyStatus{Source: NoKeys, Ready: true}
	set := v.keys.Load()
	if set != nil {
		s.Source = StaticKeys
		s.Keys = len(set.keys)
		s.CacheEntries, s.CacheBytes = set.cache.usage()
	}
	if v.remote != nil {
		s.Source, s.Ready = RemoteKeys, set != nil
		v.remote.mu.Lock()
		s.Fetched, s.Err = v.remote.fetched, v.remote.err
		v.remote.mu.Unlock()
	}
	return s
}

// TakeKeys takes over what a verifier for the same address has fetched, so that
// a reload of the configuration needs no issuer that answers. Nothing else is
// taken: tokens are checked anew. Call it before Run.
func (v *Verifier) TakeKeys(from *Verifier) {
	if v.remote == nil || from.remote == nil || v.remote.fetcher.address != from.remote.fetcher.address {
		return
	}
	from.remote.mu.Lock()
	set, body, fetched := from.keys.Load(), from.remote.body, from.remote.fetched
	from.remote.mu.Unlock()
	if set == nil {
		return
	}
	v.remote.mu.Lock()
	defer v.remote.mu.Unlock()
	v.remote.body, v.remote.fetched = body, fetched
	v.use(set.keys)
}
