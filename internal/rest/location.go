package rest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// contentLocation is the path with the query in canonical form: sorted by name, percent-encoded.
func contentLocation(name, rawQuery string) string {
	var room [512]byte
	out := appendComponent(append(room[:0], '/'), name)
	var pairs [16]parameter
	sep := byte('?')
	for _, p := range sortParameters(appendParameters(pairs[:0], rawQuery)) {
		out = append(out, sep)
		out = appendComponent(out, unescape(p.name))
		out = append(out, '=')
		out = appendComponent(out, unescape(p.value))
		sep = '&'
	}
	return string(out)
}

// parameter is a name and value of a query string, as sent.
type parameter struct{ name, value string }

// appendParameters splits where the query's grammar does, at & and at ;.
func appendParameters(dst []parameter, rawQuery string) []parameter {
	for rawQuery != "" {
		part := rawQuery
		if i := strings.IndexAny(rawQuery, "&;"); i >= 0 {
			part, rawQuery = rawQuery[:i], rawQuery[i+1:]
		} else {
			rawQuery = ""
		}
		if part != "" {
			name, value, _ := strings.Cut(part, "=")
			dst = append(dst, parameter{name, value})
		}
	}
	return dst
}

func sortParameters(p []parameter) []parameter {
	slices.SortStableFunc(p, func(a, b parameter) int { return strings.Compare(unescape(a.name), unescape(b.name)) })
	return p
}

// appendComponent percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
func appendComponent(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			dst = append(dst, c)
		} else {
			dst = appendEscaped(dst, c)
		}
	}
	return dst
}

func appendEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&15])
}

// unescape decodes a query component; a malformed escape stands for itself.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s):
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				b = append(b, c)
				continue
			}
			b = append(b, byte(n))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// locate fills in the Location of the one row that was created: its path with its key as filters.
func (a *answer) locate(h *head) error {
	if len(a.location) == 0 {
		return nil
	}
	var key []*string
	if err := json.Unmarshal(a.location, &key); err != nil || len(key) != len(a.plan.write.Key) {
		return fmt.Errorf("read the new row's key: %w", err)
	}
	out := appendComponent([]byte{'/'}, a.req.Name)
	sep := byte('?')
	for i, name := range a.plan.write.Key {
		out = append(out, sep)
		out = append(appendComponent(out, filterName(name)), '=')
		if key[i] == nil {
			out = append(out, "is.null"...)
		} else {
			out = appendComponent(append(out, "eq."...), *key[i])
		}
		sep = '&'
	}
	h.location = string(out)
	return nil
}

// filterName is a column's name as a filter is to write it: in quotes where the query's grammar would read it as
// something else.
func filterName(name string) string {
	plain := !slices.Contains([]string{"select", "columns", "on_conflict", "order", "limit", "offset", "and", "or", "cursor"}, name)
	for part := range strings.SplitSeq(name, "-") {
		plain = plain && part != "" && part == strings.Trim(part, " ") && !strings.ContainsFunc(part, func(r rune) bool {
			return !unicode.IsLetter(r) && !strings.ContainsRune("_$ 0123456789", r)
		})
	}
	if plain {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
