package slipstream

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// CacheExplanation says what the cache would do with a GET, and why. It has nothing of the answer, and of the caller names
// only.
type CacheExplanation struct {
	// Verdict is hit, miss or bypass.
	Verdict string `json:"verdict"`
	// Because is why it is not a hit, in a few words, and Kind the kind of that reason, as metrics count it.
	Because string `json:"because,omitempty"`
	Kind    string `json:"kind,omitempty"`
	// Route is the relation.
	Route string `json:"route,omitempty"`
	// Key is what the answer is kept under, in hexadecimal. It holds the Role and what Caller names.
	Key    string   `json:"key,omitempty"`
	Role   string   `json:"role,omitempty"`
	Caller []string `json:"caller,omitempty"`
	// Tables are those that the answer depends on: a partition's own name, and what is behind views and policies.
	Tables []string `json:"tables,omitempty"`
	// Entry is what is kept; nil if nothing is.
	Entry *CacheEntry `json:"entry,omitempty"`
}

// CacheEntry is an answer that is kept.
type CacheEntry struct {
	// AgeMilliseconds is how long ago it was fetched.
	AgeMilliseconds int64 `json:"ageMilliseconds"`
	// ExpiresMilliseconds is in how long it is dropped; nil where only changes drop it.
	ExpiresMilliseconds *int64 `json:"expiresMilliseconds,omitempty"`
	// Hits is how often it was served: exactly up to 64, and beyond that about.
	Hits uint64 `json:"hits"`
	// Shared is true of one that another instance has fetched.
	Shared bool   `json:"shared,omitempty"`
	Bytes  uint64 `json:"bytes"`
	// DependsOn is what drops it when it changes.
	DependsOn []CacheDependency `json:"dependsOn"`
	// Limited is true where it is served until it expires also if it is not certain that nothing has changed. Then purges of
	// Tags drop it, and writes to them through this server.
	Limited bool     `json:"limited,omitempty"`
	Tags    []string `json:"tags,omitempty"`
}

// Kinds of reasons for going by the cache that are the server's, besides those of internal/rest and internal/httpcache.
const (
	byHandler = "handler" // a handler of the program answers
	byCaller  = "caller"  // the caller is refused
	byClosed  = "closed"  // nothing is cached now
)

// ExplainCache says what the cache would do with a GET as it would come from a client, Authorization included. It neither
// answers nor counts the request. An error means that the database could not be asked for names.
func (s *Server) ExplainCache(r *http.Request) (CacheExplanation, error) {
	bypass := func(kind, because string) (CacheExplanation, error) {
		return CacheExplanation{Verdict: "bypass", Kind: kind, Because: because}, nil
	}
	if s.hasOwn.Load() {
		if _, pattern := s.own.Handler(r); pattern != "" {
			return bypass(byHandler, "is answered by the program's own handler of "+pattern)
		}
	}
	status := s.CacheStatus()
	if status.Mode == "off" || status.Mode == "none" {
		return bypass(byClosed, "nothing is cached: "+status.Reason)
	}
	v := s.current.Load()
	caller, err := v.verifier.Caller(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		if e := apierr.From(err); e != nil {
			return bypass(byCaller, "is refused with "+e.Code+": "+e.Message)
		}
		return CacheExplanation{}, err
	}
	found := v.cache.Explain(r.WithContext(auth.WithCaller(r.Context(), caller)))
	out := CacheExplanation{Verdict: "bypass", Kind: found.Kind, Because: found.Because, Role: caller.Role}
	if found.Shape != nil {
		out.Route = found.Shape.Route()
	}
	if found.Because != "" {
		if found.Kind == byClosed {
			out.Because += ": " + status.Reason
		}
		return out, nil
	}
	out.Key = hex.EncodeToString(found.Key[:])
	out.judge(found)
	err = s.describe(r.Context(), &out, found)
	return out, err
}

// misses says what the reasons mean.
var misses = map[cache.Miss]string{
	cache.MissAbsent:  "nothing is kept for it: never asked for, dropped by a change, or evicted",
	cache.MissExpired: "its time is over",
	cache.MissEarly:   "its time is nearly over",
	cache.MissLease:   "it is not certain that all changes have arrived",
	cache.MissFence:   "a write of this server has not come back yet",
	cache.MissClosed:  "nothing is cached now",
}

func (e *CacheExplanation) judge(found httpcache.Explanation) {
	e.Verdict = "hit"
	if found.Refused != 0 {
		e.Verdict, e.Kind, e.Because = "miss", found.Refused.String(), misses[found.Refused]
	}
}

// callerNames names what of a caller is in a key, besides the role.
func callerNames(settings []schema.SettingRead) []string {
	var names []string
	for _, s := range settings {
		name := s.Name
		if s.Claim != "" {
			name += "->" + s.Claim
		}
		names = append(names, name)
	}
	return names
}

// describe names what the answer depends on.
func (s *Server) describe(ctx context.Context, e *CacheExplanation, found httpcache.Explanation) error {
	shape, ok := found.Shape.(*rest.Shape)
	if !ok {
		return nil
	}
	e.Caller = callerNames(shape.Settings())
	names, err := s.tableNames(ctx, shape.Tables())
	if err != nil {
		return err
	}
	e.Tables = names.all()
	if found.Entry != nil {
		e.Entry = describeEntry(found.Entry, names)
	}
	return nil
}

func describeEntry(e *cache.Entry, names tableNames) *CacheEntry {
	out := &CacheEntry{AgeMilliseconds: e.Age().Milliseconds(), Hits: e.Hits(), Shared: e.Shared(), Bytes: e.Bytes()}
	if left, limited := e.Remaining(); limited {
		ms := left.Milliseconds()
		out.ExpiresMilliseconds = &ms
	}
	out.Limited = e.Limited()
	for _, t := range e.Tags() {
		out.Tags = append(out.Tags, names.table(t))
	}
	watches := e.Watches()
	for i := range watches {
		out.DependsOn = append(out.DependsOn, names.dependency(&watches[i]))
	}
	return out
}
