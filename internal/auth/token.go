package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// maxTokenBytes bounds the work that an unverified token can cause. It is more
// than proxies and browsers let through in one header.
const maxTokenBytes = 64 << 10

// base64url rejects padding and stray bits, so that a token has one spelling.
var base64url = base64.RawURLEncoding.Strict()

// token is a compact JWS (RFC 7515 section 7.1), decoded but not verified.
type token struct {
	alg       string
	kid       string
	hasKid    bool
	signed    string // header and payload as they were signed
	payload   []byte
	signature []byte
}

// bearerToken takes the token from an Authorization header. ok is false for
// other schemes, which are none of our business.
func bearerToken(authorization string) (t string, ok bool) {
	scheme, rest := authorization, ""
	if i := strings.IndexAny(authorization, " \t"); i >= 0 {
		scheme, rest = authorization[:i], authorization[i:]
	}
	if !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	return strings.TrimLeft(rest, " \t"), true
}

// parseToken decodes the three parts. The order of the checks decides which
// error a broken token gets, and follows PostgREST's.
func parseToken(s string) (*token, error) {
	if s == "" {
		return nil, errDecode("Empty JWT is sent in Authorization header", "")
	}
	if len(s) > maxTokenBytes {
		return nil, errDecode("JWT is too long", fmt.Sprintf("At most %d bytes are accepted", maxTokenBytes))
	}
	if n := strings.Count(s, ".") + 1; n != 3 {
		return nil, errDecode(fmt.Sprintf("Expected 3 parts in JWT; got %d", n), "")
	}
	header, rest, _ := strings.Cut(s, ".")
	payload, signature, _ := strings.Cut(rest, ".")

	h, err := decodeHeader(header)
	if err != nil {
		return nil, err
	}
	t := &token{signed: s[:len(header)+1+len(payload)]}
	if t.payload, err = base64url.DecodeString(payload); err != nil {
		return nil, errMalformed()
	}
	if err := t.readHeader(h); err != nil {
		return nil, err
	}
	if t.signature, err = base64url.DecodeString(signature); err != nil {
		return nil, errMalformed()
	}
	return t, nil
}

// decodeHeader uses a map because struct fields would match "ALG" as well.
func decodeHeader(part string) (map[string]json.RawMessage, error) {
	raw, err := base64url.DecodeString(part)
	if err != nil || !utf8.Valid(raw) {
		return nil, errMalformed()
	}
	var h map[string]json.RawMessage
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, errMalformed()
	}
	return h, nil
}

func (t *token) readHeader(h map[string]json.RawMessage) *apierr.Error {
	var ok bool
	if t.alg, ok = stringOf(h["alg"]); !ok {
		return errMalformed()
	}
	if t.alg == "none" {
		return errAlgorithm("JWT is unsecured but expected 'alg' was not 'none'")
	}
	if !supported(t.alg) {
		return errMalformed()
	}
	if _, ok := h["crit"]; ok {
		return errAlgorithm("JWT has critical header parameters, and none are supported")
	}
	if cty, _ := stringOf(h["cty"]); strings.EqualFold(cty, "jwt") {
		return errDecode("Unsupported token type", "")
	}
	if kid, ok := h["kid"]; ok && string(kid) != "null" {
		if t.kid, t.hasKid = stringOf(kid); !t.hasKid {
			return errMalformed()
		}
	}
	return nil
}

// stringOf decodes a JSON string; ok is false for every other value.
func stringOf(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}
