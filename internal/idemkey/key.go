package idemkey

import (
	"errors"
	"strconv"
	"strings"
)

// Header is the request header, in canonical form.
const Header = "Idempotency-Key"

// MaxLength is the length of the longest key, in bytes.
const MaxLength = 255

// Parse reads the values of the header. The draft wants a string of RFC 9651 ("in quotes"); what clients have sent
// for a decade is the key itself, without. Both name the same key. The error says what is wrong with it, for the client.
func Parse(values []string) (string, error) {
	if len(values) != 1 {
		return "", errors.New("it is there " + strconv.Itoa(len(values)) + " times")
	}
	text := strings.Trim(values[0], " \t")
	parse := bare
	if strings.HasPrefix(text, `"`) {
		parse = quoted
	}
	key, err := parse(text)
	switch {
	case err != nil:
		return "", err
	case key == "":
		return "", errors.New("it is empty")
	case len(key) > MaxLength:
		return "", errors.New("it is longer than " + strconv.Itoa(MaxLength) + " bytes")
	}
	return key, nil
}

// bare takes visible ASCII but what separates members and parameters: a second key in the line must not become a part
// of the first.
func bare(text string) (string, error) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`",;\`, c) >= 0 {
			return "", errors.New("it has the character " + strconv.QuoteToASCII(text[i:i+1]) + ", which needs quotes around the key")
		}
	}
	return text, nil
}

// quoted reads an sf-string (RFC 9651, section 4.2.5), and nothing behind it.
func quoted(text string) (string, error) {
	var key strings.Builder
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			if i+1 < len(text) {
				return "", errors.New("there is something behind its closing quote")
			}
			return key.String(), nil
		case c == '\\':
			i++
			if i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", errors.New("it has a backslash before neither a quote nor a backslash")
			}
			c = text[i]
		case c < ' ' || c >= 0x7f:
			return "", errors.New("it has a character that is not printable ASCII")
		}
		key.WriteByte(c)
	}
	return "", errors.New("its closing quote is missing")
}
