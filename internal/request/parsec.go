package request

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The messages of malformed queries are part of PostgREST's dialect, and they
// are those of the parser combinator library it is written with, Parsec. So the
// errors are computed as that library does: the rules below carry no result
// but the position, and what would have been welcome there.
//
// A rule that fails without having consumed anything lets its alternatives be
// tried, and their expectations add up; one that has consumed does not.

// source is the text of one parameter, by characters.
type source []rune

// rule recognises a piece of the text that begins at a position.
type rule func(in source, at int) outcome

// outcome of a rule.
type outcome struct {
	ok       bool
	consumed bool
	at       int // where to go on
	failure  failure
}

// failure is what went wrong at a position; for a rule that succeeded, what
// would have let it go on.
type failure struct {
	at       int
	messages []message
}

type message struct {
	kind messageKind
	text string
}

// messageKind in the order in which messages are shown.
type messageKind int

const (
	unexpectedToken messageKind = iota // the library's own "unexpected"; "" is the end of the text
	unexpected
	expected
)

// merge keeps the failure that got farther, and both when they met.
func merge(a, b failure) failure {
	switch {
	case len(b.messages) == 0 && len(a.messages) > 0:
		return a
	case len(a.messages) == 0 && len(b.messages) > 0:
		return b
	case a.at > b.at:
		return a
	case a.at < b.at:
		return b
	}
	return failure{a.at, slices.Concat(a.messages, b.messages)}
}

// expecting replaces the expectations of f by one.
func (f failure) expecting(what string) failure {
	messages := append(make([]message, 0, len(f.messages)+1), message{expected, what})
	for _, m := range f.messages {
		if m.kind != expected {
			messages = append(messages, m)
		}
	}
	return failure{f.at, messages}
}

func nothing(_ source, at int) outcome {
	return outcome{ok: true, at: at, failure: failure{at: at}}
}

// satisfy takes one character.
func satisfy(test func(rune) bool) rule {
	return func(in source, at int) outcome {
		token := ""
		if at < len(in) {
			if test(in[at]) {
				return outcome{ok: true, consumed: true, at: at + 1, failure: failure{at: at + 1}}
			}
			token = haskellString(in[at])
		}
		return outcome{at: at, failure: failure{at, []message{{unexpectedToken, token}}}}
	}
}

func oneOf(set string) rule {
	return satisfy(func(r rune) bool { return strings.ContainsRune(set, r) })
}

func noneOf(set string) rule {
	return satisfy(func(r rune) bool { return !strings.ContainsRune(set, r) })
}

func char(c rune) rule {
	return label(satisfy(func(r rune) bool { return r == c }), haskellString(c))
}

// word takes a fixed text; a mismatch within it counts as consumed, yet is
// reported at its beginning.
func word(text string) rule {
	want := []rune(text)
	return func(in source, at int) outcome {
		for i, r := range want {
			if at+i < len(in) && in[at+i] == r {
				continue
			}
			token := ""
			if at+i < len(in) {
				token = haskellString(in[at+i])
			}
			messages := []message{{expected, strconv.Quote(text)}, {unexpectedToken, token}}
			return outcome{consumed: i > 0, at: at, failure: failure{at, messages}}
		}
		end := at + len(want)
		return outcome{ok: true, consumed: true, at: end, failure: failure{at: end}}
	}
}

// sequence applies rules one after the other.
func sequence(rules ...rule) rule {
	return func(in source, at int) outcome {
		all := nothing(in, at)
		for _, r := range rules {
			next := r(in, all.at)
			if !next.consumed {
				next.failure = merge(all.failure, next.failure)
				next.consumed = all.consumed
			}
			if all = next; !all.ok {
				break
			}
		}
		return all
	}
}

// choice applies the first rule that succeeds or consumes.
func choice(rules ...rule) rule {
	return func(in source, at int) outcome {
		var last outcome
		for i, r := range rules {
			next := r(in, at)
			if i > 0 && !next.consumed {
				next.failure = merge(last.failure, next.failure)
			}
			if last = next; last.ok || last.consumed {
				break
			}
		}
		return last
	}
}

func optional(r rule) rule { return choice(r, nothing) }

// try takes back what a failing rule has consumed.
func try(r rule) rule {
	return func(in source, at int) outcome {
		o := r(in, at)
		o.consumed = o.consumed && o.ok
		return o
	}
}

// ahead checks that r is next, without consuming it.
func ahead(r rule) rule {
	return func(in source, at int) outcome {
		if o := r(in, at); !o.ok {
			return o
		}
		return nothing(in, at)
	}
}

// many applies a rule as often as it succeeds.
func many(r rule) rule {
	return func(in source, at int) outcome {
		all := nothing(in, at)
		for {
			next := r(in, all.at)
			if next.consumed && !next.ok {
				return next
			}
			if !next.consumed {
				all.failure = next.failure
				return all
			}
			all = next
		}
	}
}

func many1(r rule) rule { return sequence(r, many(r)) }

func separated1(r, separator rule) rule {
	return sequence(r, many(sequence(separator, r)))
}

// label names what r expects when it fails at its beginning.
func label(r rule, what string) rule {
	return func(in source, at int) outcome {
		o := r(in, at)
		if !o.consumed && (!o.ok || len(o.failure.messages) > 0) {
			o.failure = o.failure.expecting(what)
		}
		return o
	}
}

// notBefore fails where r, a rule of one character, is next; the failure is placed behind it.
func notBefore(r rule) rule {
	return func(in source, at int) outcome {
		o := r(in, at)
		if o.ok {
			return outcome{at: at, failure: failure{o.at, []message{{unexpected, haskellChar(in[at])}}}}
		}
		return outcome{ok: true, at: at, failure: o.failure}
	}
}

func end(in source, at int) outcome {
	f := failure{at, []message{{unexpectedToken, ""}}}
	if at < len(in) {
		f.messages = []message{{unexpected, haskellChar(in[at])}}
	}
	return outcome{ok: at >= len(in), at: at, failure: f.expecting("end of input")}
}

// position is the line and column of a character, counted as Parsec does: a tab goes to the next multiple of eight.
func (in source) position(at int) (line, column int) {
	line, column = 1, 1
	for _, r := range in[:min(at, len(in))] {
		switch r {
		case '\n':
			line, column = line+1, 1
		case '\t':
			column += 8 - (column-1)%8
		default:
			column++
		}
	}
	return line, column
}

// text renders the messages on one line.
func (f failure) text() string {
	messages := slices.Clone(f.messages)
	slices.SortStableFunc(messages, func(a, b message) int { return cmp.Compare(a.kind, b.kind) })
	var expectations, surprises []string
	token, atEnd := "", false
	for _, m := range messages {
		switch m.kind {
		case unexpectedToken:
			if token == "" && !atEnd {
				token, atEnd = m.text, m.text == ""
			}
		case unexpected:
			surprises = appendOnce(surprises, m.text)
		case expected:
			expectations = appendOnce(expectations, m.text)
		}
	}
	const endOfInput = "end of input"
	switch {
	case len(surprises) > 0:
	case atEnd:
		surprises = []string{endOfInput}
		expectations = slices.DeleteFunc(expectations, func(s string) bool { return s == endOfInput })
	case token != "":
		surprises = []string{token}
	}
	return phrase(phrase("", "unexpected", surprises), "expecting", expectations)
}

func appendOnce(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// phrase appends "verb a, b or c" to a text.
func phrase(text, verb string, items []string) string {
	if len(items) == 0 {
		return text
	}
	if text != "" {
		text += " "
	}
	list := items[len(items)-1]
	if n := len(items) - 1; n > 0 {
		list = strings.Join(items[:n], ", ") + " or " + list
	}
	return text + verb + " " + list
}

// haskellString shows a character as a Haskell string literal.
func haskellString(r rune) string {
	if r == '"' {
		return `"\""`
	}
	return `"` + haskellEscape(r) + `"`
}

// haskellChar shows a character as a Haskell character literal.
func haskellChar(r rune) string {
	if r == '\'' {
		return `'\''`
	}
	return "'" + haskellEscape(r) + "'"
}

// controls are Haskell's names of the characters below space.
var controls = [...]string{
	"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "a", "b", "t", "n", "v", "f", "r", "SO", "SI",
	"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
}

func haskellEscape(r rune) string {
	switch {
	case r < ' ':
		return `\` + controls[r]
	case r == '\\':
		return `\\`
	case r == unicode.MaxASCII:
		return `\DEL`
	case r > unicode.MaxASCII:
		return `\` + strconv.Itoa(int(r))
	}
	return string(r)
}
