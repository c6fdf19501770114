package idemkey

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"maps"
	"slices"
)

// Scope names a key of one caller at one place. Nobody is given an answer of another scope.
type Scope [sha256.Size]byte

// Fingerprint stands for what is asked for under a key.
type Fingerprint [sha256.Size]byte

// Caller is who sends a request.
type Caller struct {
	Role string
	// Claims are the verified claims as a JSON object.
	Claims []byte
	// Subject is the sub claim, or empty.
	Subject string
}

// Told reports whether a caller can be told from others of the role: by a claim other than those that all tokens of an
// issuer have. Who cannot be told would be given the answer of another one who has chosen the same key.
func (c Caller) Told() bool {
	var claims map[string]json.RawMessage
	if json.Unmarshal(c.Claims, &claims) != nil {
		return false
	}
	for _, name := range []string{"role", "iss", "aud", "exp", "iat", "nbf"} {
		delete(claims, name)
	}
	return len(claims) > 0
}

// NewScope hashes all that makes two requests the same caller's at the same place. A caller is the same one as long as
// all claims are, sub and tenant and whatever else policies may go by, save those that a renewed token changes.
func NewScope(c Caller, method, path, key string) Scope {
	h := sha256.New()
	write(h, "slipstream idempotency scope 1", c.Role, identity(c), method, path, key)
	return Scope(h.Sum(nil))
}

// identity is the claims without what a renewed token changes. jti stays where no sub says whose token it is.
func identity(c Caller) string {
	var claims map[string]json.RawMessage
	if json.Unmarshal(c.Claims, &claims) != nil {
		return string(c.Claims)
	}
	for _, name := range []string{"exp", "iat", "nbf"} {
		delete(claims, name)
	}
	if c.Subject != "" {
		delete(claims, "jti")
	}
	var out []byte
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		out = appendPart(appendPart(out, name), claims[name])
	}
	return string(out)
}

// NewFingerprint hashes what is asked for. The scope in it keeps equal bodies of different callers from being told.
func NewFingerprint(s Scope, body []byte, parts ...string) Fingerprint {
	h := sha256.New()
	write(h, "slipstream idempotency fingerprint 1", string(s[:]))
	write(h, parts...)
	h.Write(body)
	return Fingerprint(h.Sum(nil))
}

func write(h hash.Hash, parts ...string) {
	var room [512]byte
	for _, p := range parts {
		h.Write(appendPart(room[:0], p))
	}
}

// appendPart puts the length before a part, so that no two lists of parts look the same.
func appendPart[T string | json.RawMessage](dst []byte, part T) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(part)))
	return append(dst, part...)
}
