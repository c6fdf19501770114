package slipstream

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/slipstream-go/slipstream/internal/cdn"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/rest"
)

// purging tells caches on the way which relations have changed that they may have answers of. Each instance does so when it
// has heard of the change itself: one that is asked for the answer anew before that could give the old one again.
type purging struct {
	purger *cdn.Purger
	tags   atomic.Pointer[map[uint32][]string] // of the relations that read a table, by its OID
}

// newPurging returns nil where nobody is to be told.
func (c Config) newPurging(log *slog.Logger) *purging {
	if c.CachePurgeURL == "" {
		return nil
	}
	return &purging{purger: cdn.New(cdn.Options{
		URL: c.CachePurgeURL, SurrogateKey: c.CacheTags == "surrogate-key",
		Secret: c.CachePurgeToken, TokenHeader: c.CachePurgeHeader, Logger: log,
	})}
}

func (c Config) checkPurging() error {
	switch {
	case c.CachePurgeURL == "":
		return nil
	case c.CacheTags == "off":
		return errors.New("answers have no tags to purge by; set cache-tags")
	case c.CacheMode == "off":
		return errors.New("nothing is heard of changes; set cache-mode to auto")
	}
	return checkHTTP(c.CachePurgeURL)
}

// learn takes another catalog or configuration. What changed before is not known, nor who sees what since: all is purged. So
// it is, too, when the changes come again after a loss, as the catalog is read then.
func (p *purging) learn(catalog *rest.Catalog, policies plan.Policies) {
	if p == nil {
		return
	}
	tags := map[uint32][]string{}
	var all []string
	for name, r := range catalog.Schema.Relations {
		if !policies.Public(name) {
			continue
		}
		all = append(all, rest.Tag(name))
		for _, table := range r.Reach.Tables {
			tags[table] = append(tags[table], rest.Tag(name))
		}
	}
	for _, before := range catalog.Schema.Inputs { // of every answer
		for _, table := range before.Tables {
			tags[table] = all
		}
	}
	p.tags.Store(&tags)
	p.purger.Purge(all...)
}

// all is called when everything was purged here.
func (p *purging) all() {
	if p == nil {
		return
	}
	if tags := p.tags.Load(); tags != nil {
		for _, some := range *tags {
			p.purger.Purge(some...)
		}
	}
}

// changed is called when a table has changed, and the cache knows.
func (p *purging) changed(table uint32) {
	if p == nil {
		return
	}
	if tags := p.tags.Load(); tags != nil {
		p.purger.Purge((*tags)[table]...)
	}
}

func (s *Server) watchPurging() error {
	if s.caching == nil || s.caching.purging == nil {
		return nil
	}
	calls := s.caching.purging.purger.Calls
	err := errors.Join(
		s.metrics.CounterFunc("slipstream_cache_purge_calls_total", "Calls that had caches on the way drop answers.", func() float64 {
			sent, _ := calls()
			return float64(sent)
		}),
		s.metrics.CounterFunc("slipstream_cache_purge_failures_total", "Calls to caches on the way that failed, and are tried again.", func() float64 {
			_, failed := calls()
			return float64(failed)
		}))
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
