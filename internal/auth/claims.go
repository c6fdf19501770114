package auth

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

const (
	clockSkew = 30             // seconds that clocks may differ, as in PostgREST
	maxTime   = 253402300799.0 // the last second of the year 9999
)

// claims are a token's claims by name, each as it was sent. Of duplicates the
// last one counts, for every reader alike (RFC 7519 section 4).
type claims map[string]json.RawMessage

func parseClaims(payload []byte) (claims, error) {
	var c claims
	if !utf8.Valid(payload) || json.Unmarshal(payload, &c) != nil || c == nil {
		return nil, errClaims("Parsing claims failed")
	}
	return c, nil
}

// get returns a claim; null counts as absent.
func (c claims) get(name string) (json.RawMessage, bool) {
	v, ok := c[name]
	return v, ok && string(v) != "null"
}

// validity is when a token may be used: Unix seconds, infinite where the token
// does not say.
type validity struct{ expires, notBefore, issuedAt float64 }

func (c claims) validity() (validity, error) {
	v := validity{expires: math.Inf(1), notBefore: math.Inf(-1), issuedAt: math.Inf(-1)}
	for _, claim := range []struct {
		name string
		at   *float64
	}{{"exp", &v.expires}, {"nbf", &v.notBefore}, {"iat", &v.issuedAt}} {
		raw, ok := c.get(claim.name)
		if !ok {
			continue
		}
		if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
			return v, errClaims("The JWT '" + claim.name + "' claim must be a number")
		}
		// Out of range is an infinity, which compares as it should.
		*claim.at, _ = strconv.ParseFloat(string(raw), 64)
	}
	return v, nil
}

// check compares whole seconds, and grants the clock skew in both directions.
func (v validity) check(now time.Time) *apierr.Error {
	seconds := float64(now.Unix())
	switch {
	case seconds-clockSkew > v.expires:
		return errClaims("JWT expired")
	case seconds+clockSkew < v.notBefore:
		return errClaims("JWT not yet valid")
	case seconds+clockSkew < v.issuedAt:
		return errClaims("JWT issued at future")
	}
	return nil
}

// expiry is the exp claim as a time; zero without one.
func (v validity) expiry() time.Time {
	if math.IsInf(v.expires, 1) {
		return time.Time{}
	}
	return time.Unix(int64(max(-maxTime, min(v.expires, maxTime))), 0)
}

// checkAudience demands that one of the token's audiences is ours. A token that
// names none is for everybody, as in PostgREST. The type is checked even if no
// audience is configured.
func (c claims) checkAudience(ours string) error {
	raw, ok := c.get("aud")
	if !ok {
		return nil
	}
	audiences, ok := stringsOf(raw)
	if !ok {
		return errClaims("The JWT 'aud' claim must be a string or an array of strings")
	}
	if ours == "" || len(audiences) == 0 {
		return nil
	}
	for _, a := range audiences {
		if a == ours {
			return nil
		}
	}
	return errClaims("JWT not in audience")
}

// stringsOf reads a string or an array of strings.
func stringsOf(raw json.RawMessage) ([]string, bool) {
	if s, ok := stringOf(raw); ok {
		return []string{s}, true
	}
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil, false
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		var ok bool
		if out[i], ok = stringOf(e); !ok {
			return nil, false
		}
	}
	return out, true
}

// encode renders the claims for request.jwt.claims, with role as their role.
// Values keep the spelling in which they were signed: numbers are not rounded.
func (c claims) encode(role string) json.RawMessage {
	quoted, err := json.Marshal(role)
	if err != nil {
		return nil // a string can always be marshalled
	}
	c["role"] = quoted
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil // each value was parsed before
	}
	return bytes.Clone(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
