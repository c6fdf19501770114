package httpcache

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
)

// Values of Cache-Status (RFC 9211), of a hit and of one that another process has fetched. Header fields of hits are shared:
// nobody may change them.
var (
	statusHit    = []string{"Slipstream; hit"}
	statusShared = []string{`Slipstream; hit; detail="shared"`}
)

// statusOfHit has for how many seconds an entry stays fresh that is served until its limit; of one whose time is over it is
// less than 0 (RFC 9211, section 2.4).
func statusOfHit(e *cache.Entry) []string {
	if !e.Limited() {
		return statusHit
	}
	return []string{statusHit[0] + freshness(e)}
}

func freshness(e *cache.Entry) string {
	left, _ := e.Remaining()
	return "; ttl=" + strconv.Itoa(int(math.Floor(left.Seconds())))
}

// statusOfFailure is of a request that was forwarded as the entry's time is over, and answered by the entry as that failed.
func statusOfFailure(e *cache.Entry, code int) string {
	return "Slipstream; fwd=stale; fwd-status=" + strconv.Itoa(code) + freshness(e) + `; detail="stale-if-error"`
}

// fwdRequest is why a request goes by the cache that says no-cache.
const fwdRequest = "the request says no-cache"

// forwarded is why a request goes by the cache, as in RFC 9211, section 2.2: because of what it says, or of what it is.
func forwarded(kind string) string {
	if kind == byRequest || kind == byToken {
		return "request"
	}
	return "bypass"
}

// status tells why a request was forwarded: fwd=miss, perhaps with stored, or fwd=bypass or fwd=request with a reason.
func status(forward, detail string) string {
	switch detail {
	case "":
		return "Slipstream; fwd=" + forward
	case "stored":
		return "Slipstream; fwd=" + forward + "; stored"
	}
	// A string of RFC 8941, section 3.3.3, has no other characters than these, and two of them escaped.
	detail = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, detail)
	return "Slipstream; fwd=" + forward + `; detail="` + detail + `"`
}

// Values of Cache-Control: an answer may be kept by its receiver, but must be asked for again before it is used, which an
// ETag makes cheap. One for a caller with a token is for nobody else.
var (
	controlPublic  = []string{"no-cache"}
	controlPrivate = []string{"private, no-cache"}
)

func control(caller *auth.Caller) []string {
	if caller.Anonymous {
		return controlPublic
	}
	return controlPrivate
}

var ages = func() (out [10][]string) {
	for i := range out {
		out[i] = []string{strconv.Itoa(i)}
	}
	return out
}()

// seconds is an age as fields give it (RFC 9111, section 1.2.2).
func seconds(age time.Duration) int { return max(int(age/time.Second), 0) }

// ageField is the field Age of a hit (RFC 9111, section 5.1): how long ago it was certain that it was the present answer.
func ageField(age time.Duration) []string {
	n := seconds(age)
	if n < len(ages) {
		return ages[n]
	}
	return []string{strconv.Itoa(n)}
}
