package rest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/idemkey"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// once is what makes a write with an Idempotency-Key happen once. A nil one does nothing.
type once struct {
	scope       idemkey.Scope
	fingerprint idemkey.Fingerprint
	guard       pg.Guard
}

// askedBy are the headers that an answer depends on. Policies and functions may see cookies, too.
var askedBy = []string{"Accept", "Accept-Profile", "Content-Profile", "Content-Type", "Cookie", "If-Match", "If-None-Match", "Prefer"}

// keyed reports whether the request asks to be done once, and whether that is honoured. What is rolled back anyway
// may be sent as often as one likes.
func (x *exchange) keyed() bool {
	if _, ok := x.r.Header[idemkey.Header]; !ok || x.options.IgnoreIdempotencyKeys {
		return false
	}
	return (x.r.Method == http.MethodPost || x.r.Method == http.MethodPatch) && x.commits()
}

// once guards the transaction of a request that has a key.
func (x *exchange) once() (*once, error) {
	if !x.keyed() {
		return nil, nil
	}
	if !x.catalog.Idempotency {
		if x.warned.CompareAndSwap(false, true) {
			x.options.Logger.Warn("Idempotency-Key is ignored, as PostgREST does: \"slipstream idempotency install\" makes it work, idempotency-keys: off silences this")
		}
		return nil, nil
	}
	key, err := idemkey.Parse(x.r.Header[idemkey.Header])
	if err != nil {
		return nil, &apierr.Error{
			Code: "SLIP113", Message: "The Idempotency-Key cannot be used: " + err.Error(),
			Hint: "Send one of 1 to " + strconv.Itoa(idemkey.MaxLength) + " visible ASCII characters, such as a UUID",
		}
	}
	caller := idemkey.Caller{Role: x.caller.Role, Claims: x.caller.Claims, Subject: x.caller.Subject}
	if x.caller.AnonRole && x.caller.Subject == "" || !caller.Told() {
		return nil, &apierr.Error{
			Code: "SLIP113", Message: "An Idempotency-Key needs a caller who can be told from others",
			Hint: "Send a token with a sub, or leave the header away",
		}
	}
	o := &once{scope: idemkey.NewScope(caller, x.r.Method, x.r.URL.Path, key)}
	asked := []string{x.r.URL.RawQuery}
	for _, name := range askedBy {
		asked = append(asked, strings.Join(x.r.Header[name], "\n")) // which no value has in it
	}
	o.fingerprint = idemkey.NewFingerprint(o.scope, x.sent, asked...)
	o.guard.Before = idemkey.Begin(o.scope, o.fingerprint)
	x.tx.Guard = &o.guard
	return o, nil
}

// keep has the answer stored by the COMMIT that follows.
func (o *once) keep(a *answer, h *head) {
	if o == nil {
		return
	}
	kept := idemkey.Answer{Status: h.status, Header: http.Header{}, Body: a.body}
	if a.plan.Format == plan.Explained {
		kept.Status = http.StatusOK
		kept.Header.Set("Content-Type", a.plan.contentType)
	} else {
		a.setHead(kept.Header, h)
	}
	o.guard.After = idemkey.Store(o.scope, o.fingerprint, kept)
}

// failed answers a write that was not done because of its key, with what it was answered before if it was. Other errors
// are returned.
func (o *once) failed(a *answer, err error) error {
	if o == nil {
		return err
	}
	var lost *pg.LostError
	switch err = idemkey.Refusal(err); {
	case errors.Is(err, idemkey.ErrDone):
		return o.replay(a)
	case errors.Is(err, idemkey.ErrInFlight):
		return errInFlight()
	case errors.Is(err, idemkey.ErrOther):
		return &apierr.Error{
			Code: "SLIP112", Message: "The Idempotency-Key was used for another request",
			Details: "Query, body, " + strings.Join(askedBy, ", ") + " must be those of the first one.",
			Hint:    "Use a new key for a new request",
		}
	case errors.As(err, &lost) && lost.CommitUnknown:
		e := a.databaseError(a.r, err)
		e.Hint = "Send it again with the same Idempotency-Key: it is done once."
		e.Header = http.Header{"Retry-After": {"1"}}
		return e
	}
	return err
}

// refuseKey refuses the key of a batch: what is promised with one is not kept there.
func (h *Handler) refuseKey(r *http.Request) error {
	_, ok := r.Header[idemkey.Header]
	if catalog := h.catalog(); !ok || h.options.IgnoreIdempotencyKeys || catalog == nil || !catalog.Idempotency {
		return nil
	}
	return &apierr.Error{
		Code: "SLIP113", Message: "A batch cannot have an Idempotency-Key",
		Hint: "Leave the header away, or call a function that does what the batch does",
	}
}

func errInFlight() error {
	return &apierr.Error{
		Code: "SLIP111", Message: "A request with this Idempotency-Key is under way",
		Hint: "Send it again later to get its answer", Header: http.Header{"Retry-After": {"1"}},
	}
}

// replay gives the stored answer.
func (o *once) replay(a *answer) error {
	kept, err := idemkey.Load(a.r.Context(), a.Handler.db, o.scope, o.fingerprint)
	switch {
	case err != nil:
		return err
	case kept == nil:
		return errInFlight() // it has expired since, so that the next try is a new request
	case kept.TooLarge:
		return &apierr.Error{
			Code: "SLIP116", Message: "The request was done before, but its answer was too large to be kept",
			Details: "It was answered with " + strconv.Itoa(kept.Status) + "; bodies of more than " + strconv.Itoa(idemkey.MaxBody) + " bytes are not kept.",
			Hint:    "Read what it wrote, or send Prefer: return=minimal with the next",
		}
	}
	a.Handler.db.CommittedBefore(a.r.Context()) // perhaps on another instance
	a.info.MarkTiming(telemetry.PhaseTransaction)
	h := a.w.Header()
	for name, values := range kept.Header {
		h[name] = values
	}
	h.Set("Idempotency-Replayed", "true")
	a.body = append(a.body[:0], kept.Body...)
	a.finish(kept.Status)
	return nil
}
