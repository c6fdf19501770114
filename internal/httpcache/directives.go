package httpcache

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

// directives are those of a request's Cache-Control that matter here (RFC 9111, section 5.2.1, and RFC 5861, section 4), and
// whether it has a Token. Times are in seconds.
type directives struct {
	noCache, onlyIfCached bool
	maxAge                int
	minFresh              int
	maxStale              int
	staleIfError          int
	token                 bool
}

func requestDirectives(header http.Header) directives {
	d := directives{maxAge: math.MaxInt}
	for _, line := range header["Cache-Control"] {
		for part := range strings.SplitSeq(line, ",") {
			d.add(strings.TrimSpace(part))
		}
	}
	return d
}

// MaxAge is how old an answer a request wants at most, whoever gives it (Cache-Control: max-age, and no-cache for 0), in seconds;
// false where it does not say.
func MaxAge(header http.Header) (seconds int, limited bool) {
	if len(header["Cache-Control"]) == 0 {
		return 0, false
	}
	d := requestDirectives(header)
	if d.noCache {
		return 0, true
	}
	return d.maxAge, d.maxAge < math.MaxInt
}

// add ignores what cannot be read.
func (d *directives) add(directive string) {
	name, value, given := strings.Cut(directive, "=")
	n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
	valid := err == nil
	switch {
	case strings.EqualFold(name, "no-cache"), strings.EqualFold(name, "no-store"):
		d.noCache = true
	case strings.EqualFold(name, "only-if-cached"):
		d.onlyIfCached = true
	case strings.EqualFold(name, "max-stale") && !given: // however stale
		d.maxStale = math.MaxInt
	case !valid:
	case strings.EqualFold(name, "max-age"):
		d.maxAge = min(d.maxAge, int(n))
	case strings.EqualFold(name, "min-fresh"):
		d.minFresh = max(d.minFresh, int(n))
	case strings.EqualFold(name, "max-stale"):
		d.maxStale = max(d.maxStale, int(n))
	case strings.EqualFold(name, "stale-if-error"):
		d.staleIfError = max(d.staleIfError, int(n))
	}
}

// staysFresh holds an entry that is served until its limit to min-fresh. Others are fresh until something changes.
func (d *directives) staysFresh(e *cache.Entry) bool {
	left, _ := e.Remaining()
	return !e.Limited() || seconds(left) >= d.minFresh
}

// within reports whether a time is over by no more than a client accepts.
func within(late time.Duration, accepted int) bool {
	return accepted > 0 && seconds(late+time.Second-1) <= accepted
}
