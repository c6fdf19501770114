package request

import (
	"strings"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// decodeText decodes one key or value of a query string. As PostgREST does, it
// leaves alone a percent sign that two hexadecimal digits do not follow.
func decodeText(raw string) (string, *apierr.Error) {
	if strings.ContainsAny(raw, "%+") {
		raw = unescapePercent(raw, true)
	}
	return raw, checkText(raw)
}

// checkText refuses what no PostgreSQL text can hold, with PostgreSQL's own code.
func checkText(s string) *apierr.Error {
	if strings.IndexByte(s, 0) >= 0 {
		return apierr.New("22021", `invalid byte sequence for encoding "UTF8": 0x00`)
	}
	if !utf8.ValidString(s) {
		return apierr.New("22021", `invalid byte sequence for encoding "UTF8"`)
	}
	return nil
}

func unescapePercent(s string, plusIsSpace bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+' && plusIsSpace:
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(hexValue(s[i+1])<<4 | hexValue(s[i+2]))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
