package request

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// parsePreferences reads the Prefer field lines. The first valid value of a
// preference counts; what is unknown, or has an unknown value, is Invalid.
func parsePreferences(lines []string) Preferences {
	var p Preferences
	for _, line := range lines {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			if item = strings.TrimSpace(item); item != "" {
				p.add(item)
			}
		}
	}
	return p
}

func (p *Preferences) add(item string) {
	name, value, _ := strings.Cut(item, "=")
	switch name {
	case "resolution":
		p.pick(&p.Resolution, item, value, "merge-duplicates", "ignore-duplicates")
	case "return":
		p.pick(&p.Return, item, value, "representation", "minimal", "headers-only")
	case "count":
		p.pick(&p.Count, item, value, "exact", "planned", "estimated")
	case "tx":
		p.pick(&p.Tx, item, value, "commit", "rollback")
	case "missing":
		p.pick(&p.Missing, item, value, "default", "null")
	case "handling":
		p.pick(&p.Handling, item, value, "strict", "lenient")
	case "pagination":
		p.pick(&p.Pagination, item, value, "cursor")
	case "read":
		p.pick(&p.Read, item, value, "primary")
	case "timezone":
		p.addTimezone(item, value)
	case "max-affected":
		p.addMaxAffected(item, value)
	case "wait":
		p.addWait(item, value)
	default:
		p.Invalid = append(p.Invalid, item)
	}
}

func (p *Preferences) pick(field *string, item, value string, known ...string) {
	switch {
	case !slices.Contains(known, value):
		p.Invalid = append(p.Invalid, item)
	case *field == "":
		*field = value
	}
}

// addTimezone takes the first one, whatever it says: PostgreSQL judges it (22023).
func (p *Preferences) addTimezone(item, value string) {
	switch {
	case value == "":
		p.Invalid = append(p.Invalid, item)
	case p.Timezone == "":
		p.Timezone = value
	}
}

// addMaxAffected takes the first one only; a value that is no number is ignored but not invalid, as with PostgREST.
func (p *Preferences) addMaxAffected(item, value string) {
	switch {
	case !strings.Contains(item, "="):
		p.Invalid = append(p.Invalid, item)
	case !p.maxAffectedSeen:
		p.maxAffectedSeen = true
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			p.MaxAffected = &n
		}
	}
}

// addWait takes the first one, in whole seconds of which there are some (RFC 7240, section 4.3).
func (p *Preferences) addWait(item, value string) {
	seconds, err := strconv.ParseUint(value, 10, 31)
	switch {
	case err != nil || seconds == 0:
		p.Invalid = append(p.Invalid, item)
	case p.Wait == 0:
		p.Wait = time.Duration(seconds) * time.Second
	}
}

// check refuses invalid preferences where the client asks for that.
func (p *Preferences) check() *apierr.Error {
	if p.Handling != "strict" || len(p.Invalid) == 0 {
		return nil
	}
	return &apierr.Error{
		Code:    "PGRST122",
		Message: "Invalid preferences given with handling=strict",
		Details: "Invalid preferences: " + strings.Join(p.Invalid, ", "),
	}
}

// Applied renders the value of Preference-Applied, in PostgREST's order, for
// all that is set: blank the fields that were not honoured first. It is empty
// when nothing was. max-affected counts only under handling=strict.
func (p *Preferences) Applied() string {
	var b strings.Builder
	add := func(name, value string) {
		if value == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(value)
	}
	add("resolution", p.Resolution)
	add("missing", p.Missing)
	add("return", p.Return)
	add("count", p.Count)
	add("tx", p.Tx)
	add("handling", p.Handling)
	add("timezone", p.Timezone)
	if p.MaxAffected != nil && p.Handling == "strict" {
		add("max-affected", strconv.FormatInt(*p.MaxAffected, 10))
	}
	add("pagination", p.Pagination)
	if p.Wait > 0 {
		add("wait", strconv.Itoa(int(p.Wait/time.Second)))
	}
	add("read", p.Read)
	return b.String()
}
