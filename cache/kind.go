package cache

import (
	"cmp"
	"strings"
)

// Kind says how the texts of a column's values compare.
type Kind uint8

// The kinds of which Go can tell what PostgreSQL would.
const (
	Text Kind = iota // equal if the bytes are: a deterministic collation. Which is less is not known
	Int              // integers of any size, in decimal
	Bool             // t and f
	UUID
	Time // date, time, timestamp and timestamptz in ISO style and UTC, from year 1 to 9999
)

// compare returns the order of two values, if it can tell: a Text that differs is not ok, nor is what does not look like
// its kind.
func (k Kind) compare(a, b string) (order int, ok bool) {
	switch k {
	case Text:
		return 0, a == b
	case Int:
		return compareInt(a, b)
	case Bool:
		return cmp.Compare(a, b), isBool(a) && isBool(b)
	case UUID:
		return cmp.Compare(a, b), isUUID(a) && isUUID(b)
	case Time:
		shape := timeShape(a)
		return cmp.Compare(a, b), shape != "" && shape == timeShape(b)
	}
	return 0, false
}

// equal reports whether two values are equal, if it can tell.
func (k Kind) equal(a, b string) (equal, ok bool) {
	if k == Text {
		return a == b, true
	}
	order, ok := k.compare(a, b)
	return order == 0, ok
}

func compareInt(a, b string) (int, bool) {
	a, negative, okA := splitInt(a)
	b, negativeB, okB := splitInt(b)
	if negative != negativeB {
		if negative {
			return -1, okA && okB
		}
		return 1, okA && okB
	}
	order := cmp.Compare(len(a), len(b))
	if order == 0 {
		order = cmp.Compare(a, b)
	}
	if negative {
		order = -order
	}
	return order, okA && okB
}

// splitInt returns the digits without leading zeros; zero has none and is not negative.
func splitInt(s string) (digits string, negative, ok bool) {
	digits, negative = strings.CutPrefix(s, "-")
	if digits == "" {
		return "", false, false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return "", false, false
		}
	}
	digits = strings.TrimLeft(digits, "0")
	return digits, negative && digits != "", true
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isBool(s string) bool { return s == "t" || s == "f" }

func isUUID(s string) bool {
	return fits(s, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

const (
	dateForm = "0000-00-00"
	timeForm = "00:00:00"
)

// timeShape returns what kind of time it is: texts of the same shape compare bytewise. Among them are not the infinities,
// years before 1 or after 9999, and zones other than UTC.
func timeShape(s string) string {
	if fits(s, dateForm) {
		return "date"
	}
	shape := "time"
	if len(s) > len(dateForm) && s[len(dateForm)] == ' ' && fits(s[:len(dateForm)], dateForm) {
		shape, s = "timestamp", s[len(dateForm)+1:]
	}
	if s, zoned := strings.CutSuffix(s, "+00"); zoned {
		return zonedShape(shape, s)
	}
	return clockShape(shape, s)
}

func zonedShape(shape, clock string) string {
	if shape != "timestamp" || clockShape(shape, clock) == "" {
		return ""
	}
	return "timestamptz"
}

// clockShape returns shape if clock is a time of day, with or without a fraction of which the last digit is not 0.
func clockShape(shape, clock string) string {
	if len(clock) < len(timeForm) || !fits(clock[:len(timeForm)], timeForm) {
		return ""
	}
	fraction := clock[len(timeForm):]
	if fraction == "" {
		return shape
	}
	for i := 1; i < len(fraction); i++ {
		if !isDigit(fraction[i]) {
			return ""
		}
	}
	if fraction[0] != '.' || len(fraction) == 1 || fraction[len(fraction)-1] == '0' {
		return ""
	}
	return shape
}

// fits reports whether a text has a form, in which 0 stands for a digit and x for a lower-case hexadecimal one.
func fits(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; form[i] {
		case '0':
			if !isDigit(b) {
				return false
			}
		case 'x':
			if !isDigit(b) && (b < 'a' || 'f' < b) {
				return false
			}
		default:
			if b != form[i] {
				return false
			}
		}
	}
	return true
}
