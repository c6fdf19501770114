package request

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Words of eight bytes: one in every byte, and the highest bit of every byte.
const (
	eachOne  = 0x0101010101010101
	eachHigh = 0x8080808080808080
)

// stops marks the first byte of w that a JSON string cannot hold as it is — a
// quote, a backslash, a control character — by its highest bit. Bits above the
// first one may be wrong: a borrow ran into them.
func stops(w uint64) uint64 {
	quote := w ^ eachOne*'"'
	slash := w ^ eachOne*'\\'
	return ((quote-eachOne)&^quote | (slash-eachOne)&^slash | (w-eachOne*' ')&^w) & eachHigh
}

// plain gives the end of the part of s from i on that can stand in a JSON string
// as it is, and a word whose high bits tell whether that part is more than ASCII.
func plain(s []byte, i int) (end int, seen uint64) {
	for ; len(s)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		if m := stops(w); m != 0 {
			n := bits.TrailingZeros64(m) &^ 7
			return i + n/8, seen | w&(1<<n-1)
		}
		seen |= w
	}
	for ; i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' '; i++ {
		seen |= uint64(s[i])
	}
	return i, seen
}

// text skips a string; i is its opening quote.
func (t *jsonText) text(i int) int {
	start := i
	var seen uint64
	for i++; ; {
		end, high := plain(t.s, i)
		i, seen = end, seen|high
		if i >= len(t.s) {
			return t.fail(start, "the string is not closed")
		}
		switch t.s[i] {
		case '"':
			if seen&eachHigh != 0 && !utf8.Valid(t.s[start:i]) {
				return t.fail(start+validUTF8(t.s[start:i]), "the bytes are not UTF-8")
			}
			return i + 1
		case '\\':
			if i = t.escape(i); i < 0 {
				return i
			}
		default:
			return t.fail(i, "a control character in a string must be escaped")
		}
	}
}

// validUTF8 is the length of the valid beginning.
func validUTF8(s []byte) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(s)
}

// escape skips an escape sequence; i is its backslash.
func (t *jsonText) escape(i int) int {
	if i+1 < len(t.s) {
		switch t.s[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return i + 2
		case 'u':
			return t.unicode(i)
		}
	}
	return t.fail(i, "unknown escape sequence")
}

// unicode skips \uXXXX, or two of them that are a surrogate pair. Halves of a
// pair are refused: they stand for no character, and PostgreSQL has no text for them.
func (t *jsonText) unicode(i int) int {
	r := hex4(t.s, i+2)
	switch {
	case r < 0:
		return t.fail(i, "expected four hexadecimal digits after \\u")
	case !utf16.IsSurrogate(r):
		return i + 6
	case i+7 < len(t.s) && t.s[i+6] == '\\' && t.s[i+7] == 'u' && utf16.DecodeRune(r, hex4(t.s, i+8)) != utf8.RuneError:
		return i + 12
	}
	return t.fail(i, "half of a surrogate pair")
}

// hex4 is the number that four hexadecimal digits are, or -1.
func hex4(s []byte, i int) rune {
	if len(s)-i < 4 {
		return -1
	}
	var r rune
	for _, c := range s[i : i+4] {
		if !isHex(c) {
			return -1
		}
		r = r<<4 | rune(hexValue(c))
	}
	return r
}

// unescapes are the characters that the letters of short escape sequences stand for.
var unescapes = [...]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// appendUnescaped appends what the inside of a string, known to be well-formed, stands for.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		switch {
		case s[i] != '\\':
			dst = append(dst, s[i])
			i++
		case s[i+1] != 'u':
			dst = append(dst, unescapes[s[i+1]])
			i += 2
		default:
			r := hex4(s, i+2)
			if i += 6; utf16.IsSurrogate(r) {
				r = utf16.DecodeRune(r, hex4(s, i+2))
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendJSONText appends s, which is UTF-8, as the inside of a JSON string.
func appendJSONText(dst, s []byte) []byte {
	for i := 0; ; i++ {
		end, _ := plain(s, i)
		dst = append(dst, s[i:end]...)
		if i = end; i >= len(s) {
			return dst
		}
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
}
