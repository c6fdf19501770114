package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// Fields are the header fields that say what is left, for programs in browsers.
func Fields() []string { return []string{"RateLimit", "RateLimit-Policy", "Retry-After"} }

// note counts what the policies have said, and notes for the log who refuses.
func (c *claim) note(r *http.Request) {
	for i, p := range c.policies {
		refused := c.charges[i].Refused
		p.counts.Count(refused, p.DryRun)
		if refused {
			telemetry.RequestFrom(r.Context()).AddLimit(p.Name, p.DryRun)
		}
	}
}

// tell sets the fields for all policies that are no dry runs; with refusing, for those that refuse.
func (c *claim) tell(h http.Header, refusing bool) {
	var policies, limits []byte
	for i, p := range c.policies {
		if p.DryRun || refusing && !c.charges[i].Refused {
			continue
		}
		if len(policies) > 0 {
			policies, limits = append(policies, ", "...), append(limits, ", "...)
		}
		policies = append(policies, p.item...)
		limits = appendLimit(limits, p.Name, &c.charges[i])
	}
	if len(policies) > 0 {
		h["Ratelimit-Policy"], h["Ratelimit"] = []string{string(policies)}, []string{string(limits)}
	}
}

// appendLimit adds an item of RateLimit: r units are left, and there will be no more for t seconds. Without t all are there.
func appendLimit(to []byte, name string, c *limit.Charge) []byte {
	to = strconv.AppendQuote(to, name)
	to = append(to, ";r="...)
	to = strconv.AppendInt(to, int64(c.Remaining()), 10)
	if next := c.Next(); next > 0 {
		to = append(to, ";t="...)
		to = strconv.AppendInt(to, seconds(next), 10)
	}
	return to
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// refuse answers for a claim that was refused.
func (l *Limits) refuse(w http.ResponseWriter, r *http.Request, c *claim, by limit.Source) {
	e := c.refusal(w, r, by)
	telemetry.RequestFrom(r.Context()).SetCode(e.Code)
	e.Write(w, r.Method == http.MethodHead, l.options.Verbosity)
}

// refusal is a 429, or a 503 where the counts are away. It sets the fields.
func (c *claim) refusal(w http.ResponseWriter, r *http.Request, by limit.Source) *apierr.Error {
	if by == limit.Closed {
		e := apierr.New("SLIP211", "The rate limits cannot be checked now")
		e.Header = http.Header{"Retry-After": {strconv.FormatInt(seconds(later(time.Second)), 10)}}
		return e
	}
	c.note(r)
	c.tell(w.Header(), true)
	return c.err()
}

// err is the 429 of a claim that was refused: of the policy that has one wait the longest.
func (c *claim) err() *apierr.Error {
	worst := -1
	for i := range c.charges {
		one := &c.charges[i]
		if one.Refused && !one.DryRun && (worst < 0 || one.Wait() > c.charges[worst].Wait()) {
			worst = i
		}
	}
	p, one := c.policies[worst], &c.charges[worst]
	e := apierr.New("SLIP210", "Too many requests")
	e.Details = fmt.Sprintf("The limit %q is %d in %s, at most %d at once", p.Name, p.Rate.Quota, p.Rate.Window, p.Rate.AtOnce())
	if !one.Possible() {
		e.Hint = fmt.Sprintf("This costs %d, which is never there at once. Send less in one request", one.Cost)
		return e
	}
	wait := strconv.FormatInt(seconds(later(one.Wait())), 10)
	e.Hint = "Try again in " + wait + " s"
	e.Header = http.Header{"Retry-After": {wait}}
	return e
}

// later adds up to a second, or a tenth, so that those who were refused at the same time do not come back at the same time.
func later(d time.Duration) time.Duration { return d + rand.N(max(time.Second, d/10)) }
