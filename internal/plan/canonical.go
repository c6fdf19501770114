package plan

import (
	"regexp"
	"strings"
	"time"
)

// Canonical gives the text that PostgreSQL would print for an operand of a kind, with dates in ISO style and in UTC. ok is
// false where that is not certain.
func Canonical(k Kind, text string) (canonical string, ok bool) {
	switch k {
	case Exact:
		return text, true
	case UUID:
		return text, plainUUID.MatchString(text)
	case Integer:
		return text, plainInteger(text)
	case Boolean:
		switch text {
		case "true", "t":
			return "t", true
		case "false", "f":
			return "f", true
		}
	case Date:
		return canonicalTime(text, "2006-01-02", "2006-01-02")
	case Timestamp:
		return canonicalTime(text, "2006-01-02 15:04:05.999999", "2006-01-02T15:04:05", "2006-01-02 15:04:05")
	case Instant:
		return canonicalTime(text, "2006-01-02 15:04:05.999999-07", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00")
	}
	return "", false
}

// plainInteger has no sign but a minus, no leading zeros and no blanks.
func plainInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] == '0' && text != "0" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// plainUUID is the one of the forms of a uuid that PostgreSQL prints.
var plainUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// canonicalTime reads a text in one of the layouts. More digits than PostgreSQL keeps would be rounded.
func canonicalTime(text, print string, layouts ...string) (string, bool) {
	for _, layout := range layouts {
		t, err := time.Parse(layout, text)
		if err == nil && t.Year() > 0 && t.Nanosecond()%1000 == 0 {
			return t.UTC().Format(print), true
		}
	}
	return "", false
}
