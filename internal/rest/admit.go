package rest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/limit"
)

// Classes of requests have each their share of the database's connections, so that none of them can have it all.
const (
	ClassRead = iota
	ClassWrite
	ClassCall // of functions
	ClassOwn  // handlers of the program's own
)

// Classes are the shares, in the order of the constants.
func Classes() []limit.Class {
	return []limit.Class{{Name: "read", Share: 0.4}, {Name: "write", Share: 0.3}, {Name: "rpc", Share: 0.2}, {Name: "own", Share: 0.1}}
}

// classOf goes by what can be seen before a request is parsed.
func classOf(r *http.Request) int {
	switch {
	case strings.HasPrefix(r.URL.Path, "/rpc/"):
		return ClassCall
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodOptions:
		return ClassRead
	}
	return ClassWrite
}

// noteRetry counts a request that is a retry of its client's own, as supabase-js says by the number that it has.
func (h *Handler) noteRetry(r *http.Request) {
	if times := r.Header.Get("X-Retry-Count"); times != "" {
		if n, err := strconv.Atoi(times); err == nil && n > 0 {
			h.db.Retries().Sent(1)
		}
	}
}

// admit refuses a request before anything else is done for it, where it would be refused anyway.
func (h *Handler) admit(ask limit.Ask) (limit.Ask, error) {
	if h.options.Level != nil && ask.Priority.Tier > limit.Background-limit.Tier(h.options.Level()) {
		return ask, errMemory()
	}
	if h.options.Replica != nil && ask.Class == ClassRead {
		return ask, nil // it is not known yet which server it is for
	}
	ask.Admitted = true
	return ask, h.db.Limiter().Refuse(ask)
}

// ask says how important a request is.
func (h *Handler) ask(r *http.Request, caller *auth.Caller, class int) limit.Ask {
	ask := limit.Ask{Class: class, Priority: limit.Priority{Tier: limit.Default}}
	if h.options.Priority != nil {
		ask.Priority, ask.Tenant = h.options.Priority(r, caller)
	}
	return ask
}

func errMemory() error {
	return &apierr.Error{
		Code: "SLIP234", Message: "The server is short of memory", Header: retryAfter(soon()),
		Hint: "Send the request again after the time in Retry-After.",
	}
}

// level of overload: 0 without, 3 when requests of the tier Default are being refused.
func (h *Handler) level() int {
	level := h.db.Limiter().Level()
	for _, other := range []func() int{h.options.Level, h.options.ReplicaLevel} {
		if other != nil {
			level = max(level, other())
		}
	}
	return level
}

// within gives a request a deadline: the configured one, or the earlier one that its client asks for (Prefer: wait, RFC 7240,
// section 4.3). Streams have none, as they last for as long as their client reads.
func (x *exchange) within(p *planned) (stop context.CancelFunc) {
	most := x.options.Timeout
	if wait := x.req.Prefer.Wait; wait > 0 && (most == 0 || wait < most) {
		most = wait
	}
	if most == 0 || p.streams() {
		return func() {}
	}
	ctx, stop := context.WithTimeout(x.r.Context(), most)
	x.r = x.r.WithContext(ctx)
	return stop
}

// overloaded turns what package limit says into a client's error, or nil if it is none of that.
func overloaded(err error) *apierr.Error {
	var shed *limit.ShedError
	switch {
	case errors.As(err, &shed):
		return &apierr.Error{
			Code: "SLIP200", Message: "The server is overloaded", Header: retryAfter(shed.RetryAfter),
			Details: "The request was refused: " + shed.Reason.String() + ".", Hint: "Send it again after the time in Retry-After.",
		}
	case errors.Is(err, pg.ErrThrottled):
		return &apierr.Error{
			Code: "SLIP202", Message: "The database fails to answer most requests", Header: retryAfter(soon()),
			Hint: "Send the request again after the time in Retry-After.",
		}
	}
	return nil
}

// soon is a time of one to three seconds, so that those who are told it do not come back all at once.
func soon() time.Duration { return time.Second + rand.N(2*time.Second) }

// retryAfter is the header field, in whole seconds (RFC 9110, section 10.2.3).
func retryAfter(d time.Duration) http.Header {
	seconds := int64((d + time.Second - 1) / time.Second)
	return http.Header{"Retry-After": {strconv.FormatInt(max(1, seconds), 10)}}
}
