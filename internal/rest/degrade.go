package rest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/limit"
)

// Degradation says which features are off from which level of overload on (limit.Level). The zero value switches nothing off.
type Degradation struct {
	countExact, streams int // 0 is never
	embeds              []depth
	calls               [limit.Background + 1]int // by tier
}

// depth is a level from which embeds may not be deeper.
type depth struct{ most, level int }

// mostLevel is the highest level of overload.
const mostLevel = 3

// CheckDegradation says what is wrong with an entry of ParseDegradation's rules.
func CheckDegradation(feature, level string) error {
	_, err := ParseDegradation(map[string]string{feature: level})
	return err
}

// ParseDegradation understands levels of 1 to 3 by feature: count-exact, embeds-over-N, rpc-TIER and streams.
func ParseDegradation(rules map[string]string) (d Degradation, err error) {
	for feature, text := range rules {
		level, err := strconv.Atoi(text)
		if err != nil || level < 1 || level > mostLevel {
			return d, fmt.Errorf("%q is no level of overload; write 1, 2 or 3", text)
		}
		if err := d.set(feature, level); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *Degradation) set(feature string, level int) error {
	if most, ok := strings.CutPrefix(feature, "embeds-over-"); ok {
		n, err := strconv.Atoi(most)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no depth; write a number from 0 on, such as embeds-over-1", most)
		}
		d.embeds = append(d.embeds, depth{n, level})
		return nil
	}
	if name, ok := strings.CutPrefix(feature, "rpc-"); ok {
		tier, ok := limit.TierOf(name)
		if !ok {
			return fmt.Errorf("there is no tier %q; write critical, default, sheddable or background", name)
		}
		for t := tier; t <= limit.Background; t++ {
			if d.calls[t] == 0 || level < d.calls[t] {
				d.calls[t] = level
			}
		}
		return nil
	}
	switch feature {
	case "count-exact":
		d.countExact = level
	case "streams":
		d.streams = level
	default:
		return errors.New("there is no such feature; write count-exact, embeds-over-N, rpc-TIER or streams")
	}
	return nil
}

// off tells whether what is off from a level on is off now.
func off(from, level int) bool { return from > 0 && level >= from }

// degrade takes from a request what is off at the level of overload that there is, and refuses it where it is about just that.
func (x *exchange) degrade() error {
	d := &x.options.Degradation
	level := x.level()
	if level == 0 {
		return nil
	}
	if x.req.Target == request.Function && off(d.calls[x.ask.Priority.Tier], level) {
		return switchedOff("Function calls of this tier")
	}
	for _, e := range d.embeds {
		if off(e.level, level) && x.req.Query.Select.Depth() > e.most {
			return switchedOff("Embeds deeper than " + strconv.Itoa(e.most))
		}
	}
	if off(d.countExact, level) && x.req.Prefer.Count == "exact" {
		x.req.Prefer.Count = ""
		x.degraded = true // its answer is not the one that others get
	}
	return nil
}

// refuseStream is degrade for what is known after planning.
func (x *exchange) refuseStream(p *planned) error {
	if p.streams() && off(x.options.Degradation.streams, x.level()) {
		return switchedOff("Streams")
	}
	return nil
}

// streams tells whether the answer is sent as its rows come.
func (p *planned) streams() bool { return p.Format == plan.CSVRows || p.Format == plan.NDJSONRows }

func switchedOff(what string) error {
	return &apierr.Error{
		Code: "SLIP201", Message: what + " are switched off while the server is overloaded", Header: retryAfter(soon()),
		Hint: "Try again after the time in Retry-After, or ask for less.",
	}
}
