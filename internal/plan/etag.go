package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/slipstream-go/slipstream/internal/request"
)

// etagDigits are the hexadecimal digits of an ETag: 128 bits of the hash.
const etagDigits = 32

// ETag is the strong entity tag (RFC 9110, section 8.8.3) of a row: a hash of the object that shows it. It takes no
// column, no trigger and no privilege of the database, and it is the same for all to whom the row looks the same.
func ETag(object []byte) request.EntityTag {
	sum := sha256.Sum256(object)
	var digits [etagDigits]byte
	hex.Encode(digits[:], sum[:etagDigits/2])
	return request.EntityTag{Opaque: string(digits[:])}
}

// writeETag puts ETag's hash of an expression of type json.
func writeETag(s *sqlBuilder, object func()) {
	s.put("pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(")
	object()
	s.put("::text, 'UTF8')), 'hex'), ", itoa(etagDigits), ")")
}

// appendTags renders those tags that writeETag could give as an array literal. A weak tag never matches a strong one.
func appendTags(dst []byte, tags []request.EntityTag) []byte {
	dst = append(dst, '{')
	for _, t := range tags {
		t = t.Decoded()
		if t.Weak || len(t.Opaque) != etagDigits || strings.Trim(t.Opaque, "0123456789abcdef") != "" {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, t.Opaque...)
	}
	return append(dst, '}')
}
