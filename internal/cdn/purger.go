package cdn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// mostTags is how many tags a call has: Cloudflare takes 30, Fastly 256.
const mostTags = 30

// Options of a Purger. URL is required; zero fields are the defaults.
type Options struct {
	// URL takes a POST for each call.
	URL string
	// SurrogateKey sends the tags in the header Surrogate-Key with blanks between, as Fastly takes them
	// (https://www.fastly.com/documentation/reference/api/purging/). Else they are the member tags of a JSON object, as
	// Cloudflare takes them (https://developers.cloudflare.com/api/resources/cache/methods/purge/).
	SurrogateKey bool
	// Secret goes into TokenHeader; in Authorization, the default, as a bearer token.
	Secret, TokenHeader string
	// Pause is the least time between two calls, and after one that failed, at first; default 1 s.
	Pause time.Duration
	// LongestPause is the longest one after calls that fail, which doubles; default 1 min.
	LongestPause time.Duration
	// Timeout of one call; default 10 s.
	Timeout time.Duration
	// Logger hears of failures; nobody when nil.
	Logger *slog.Logger
}

// Purger sends tags. One that could not be sent is sent again, for as long as it takes, so a tag must stand for something that
// there is a bounded number of. It may be used by many goroutines; a nil one does nothing.
type Purger struct {
	options      Options
	client       http.Client
	wake         chan struct{}
	sent, failed atomic.Uint64

	mu      sync.Mutex
	waiting map[string]bool
}

// New connects to nothing and starts nothing: Run does.
func New(o Options) *Purger {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Pause, time.Second)
	def(&o.LongestPause, time.Minute)
	def(&o.Timeout, 10*time.Second)
	if o.TokenHeader == "" {
		o.TokenHeader = "Authorization"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Purger{options: o, wake: make(chan struct{}, 1), waiting: map[string]bool{}}
	p.client = http.Client{Timeout: o.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the secret is for nobody else
	}}
	return p
}

// Purge has tags sent soon. It never blocks.
func (p *Purger) Purge(tags ...string) {
	if p == nil || len(tags) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range tags {
		p.waiting[t] = true
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Calls counts those that were accepted, and those that were not.
func (p *Purger) Calls() (sent, failed uint64) { return p.sent.Load(), p.failed.Load() }

// Run sends until ctx ends.
func (p *Purger) Run(ctx context.Context) {
	defer p.client.CloseIdleConnections()
	pause, told := p.options.Pause, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		tags := p.take()
		if err := p.call(ctx, tags); err != nil {
			p.failed.Add(1)
			p.Purge(tags...)
			if told != err.Error() && ctx.Err() == nil {
				told = err.Error()
				p.options.Logger.Warn("a cache on the way was not told of changes; it is tried again", "error", err)
			}
			pause = min(pause*2, p.options.LongestPause)
		} else {
			p.sent.Add(1)
			pause, told = p.options.Pause, ""
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// take takes as many tags as one call can have. What is left over wakes Run again.
func (p *Purger) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	tags := slices.Sorted(maps.Keys(p.waiting))
	if len(tags) > mostTags {
		tags = tags[:mostTags]
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	for _, t := range tags {
		delete(p.waiting, t)
	}
	return tags
}

// call makes one. Its errors hold no secret: neither the token nor the URL, which can have one.
func (p *Purger) call(ctx context.Context, tags []string) error {
	var body []byte
	if !p.options.SurrogateKey {
		body, _ = json.Marshal(map[string][]string{"tags": tags}) // texts can be marshalled
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.options.URL, bytes.NewReader(body))
	if err != nil {
		return errorWithoutURL(err)
	}
	if p.options.SurrogateKey {
		r.Header.Set("Surrogate-Key", strings.Join(tags, " "))
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case p.options.Secret == "":
	case strings.EqualFold(p.options.TokenHeader, "Authorization"):
		r.Header.Set("Authorization", "Bearer "+p.options.Secret)
	default:
		r.Header.Set(p.options.TokenHeader, p.options.Secret)
	}
	response, err := p.client.Do(r)
	if err != nil {
		return errorWithoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // else the connection could not be used again
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}

func errorWithoutURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // it is what net/http returns, never wrapped
		return fmt.Errorf("call it: %w", e.Err)
	}
	return fmt.Errorf("call it: %w", err)
}
