package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// escape is how a value is written at a place in a template.
type escape int

const (
	asIs escape = iota
	inURL
	inString // of JSON
	asJSON   // a whole value of it
)

func (e escape) append(b []byte, text string, number bool) []byte {
	switch {
	case e == inURL:
		return appendPercent(b, text)
	case e == inString, e == asJSON && number:
		return appendJSON(b, text)
	case e == asJSON:
		return append(appendJSON(append(b, '"'), text), '"')
	}
	return append(b, text...)
}

const upperHex = "0123456789ABCDEF"

// appendPercent keeps the unreserved characters alone (RFC 3986, section 2.3), so that a value is the same in paths, queries
// and forms, and never more than a value.
func appendPercent(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if isLetter(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// appendJSON writes the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
func appendJSON(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// cleanURL percent-encodes what no URL has in it as it is, such as spaces, and leaves all else, above all the % of what is
// encoded already.
func cleanURL(s string) (string, error) {
	var b []byte
	for i, c := range []byte(s) {
		switch {
		case c == '#':
			return "", fmt.Errorf("a # begins what is not sent; write %%23 for one that is")
		case c == '%' && (len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2])):
			return "", fmt.Errorf("a %% has no two hexadecimal digits after it; write %%25 for a plain %%")
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b), nil
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isNumber takes what JSON takes as a number.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || isDigit(s[0])) && isDigit(s[len(s)-1]) && json.Valid([]byte(s))
}

// jsonEscapes gives for each variable of a JSON text whether it stands inside of a string.
func jsonEscapes(pieces []piece) []escape {
	escapes := make([]escape, len(pieces))
	at := asJSON
	for i, p := range pieces {
		escapes[i] = at
		for j := 0; j < len(p.text); j++ {
			switch {
			case at == inString && p.text[j] == '\\':
				j++
			case p.text[j] == '"':
				at = asJSON + inString - at
			}
		}
	}
	return escapes
}

// checkJSON says what is wrong with a JSON template, whatever the values of its variables are.
func checkJSON(pieces []piece) error {
	var sample []byte
	for i, e := range jsonEscapes(pieces) {
		switch {
		case pieces[i].variable == "":
			sample = append(sample, pieces[i].text...)
		case e == asJSON:
			sample = append(sample, `""`...)
		}
	}
	var any json.RawMessage
	return json.Unmarshal(sample, &any)
}
