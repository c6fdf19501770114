package request

import (
	"slices"
	"strconv"
	"strings"
)

// The messages of malformed queries are part of PostgREST's dialect, and they
// are those of the parser combinator library it is written with, Parsec. So the
// errors are computed as that library does: the rules below carry no result
// but the position, and what would have been welcome there.
//
// A rule that fails without having consumed anything lets its alternatives be
// tried, and their expectations add up; one that has consumed does not.

// source is the text of one parameter, by characters.
type source struct {
	text []rune
	// watch is the one position whose messages are recorded: most are about
	// places that a rule got beyond, and recording them would be the larger part of the work.
	watch int
}

// rule recognises a piece of the text that begins at a position.
type rule func(in *source, at int) outcome

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
	known    bool // there are messages, recorded or not
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

// fail is a failure with messages.
func (in *source) fail(at int, messages ...message) failure {
	f := failure{at: at, known: true}
	if at == in.watch {
		f.messages = slices.Clone(messages)
	}
	return f
}

// merge keeps the failure that got farther, and both when they met.
func merge(a, b failure) failure {
	switch {
	case a.known && !b.known:
		return a
	case b.known && !a.known:
		return b
	case a.at > b.at:
		return a
	case a.at < b.at:
		return b
	}
	a.messages = slices.Concat(a.messages, b.messages)
	return a
}

// expecting replaces the expectations of f by one.
func (in *source) expecting(f failure, what string) failure {
	f.known = true
	if f.at != in.watch {
		return f
	}
	messages := append(make([]message, 0, len(f.messages)+1), message{expected, what})
	for _, m := range f.messages {
		if m.kind != expected {
			messages = append(messages, m)
		}
	}
	f.messages = messages
	return f
}

// token shows the character at a position; there is none at the end.
func (in *source) token(at int) string {
	if at >= len(in.text) || at != in.watch {
		return ""
	}
	return haskellString(in.text[at])
}

func nothing(_ *source, at int) outcome {
	return outcome{ok: true, at: at, failure: failure{at: at}}
}

// satisfy takes one character.
func satisfy(test func(rune) bool) rule {
	return func(in *source, at int) outcome {
		if at < len(in.text) && test(in.text[at]) {
			return outcome{ok: true, consumed: true, at: at + 1, failure: failure{at: at + 1}}
		}
		return outcome{at: at, failure: in.fail(at, message{unexpectedToken, in.token(at)})}
	}
}

func isOneOf(set string) func(rune) bool {
	return func(r rune) bool { return strings.ContainsRune(set, r) }
}

func isNoneOf(set string) func(rune) bool {
	return func(r rune) bool { return !strings.ContainsRune(set, r) }
}

func oneOf(set string) rule  { return satisfy(isOneOf(set)) }
func noneOf(set string) rule { return satisfy(isNoneOf(set)) }

func char(c rune) rule {
	return label(satisfy(func(r rune) bool { return r == c }), haskellString(c))
}

// word takes a fixed text; a mismatch within it counts as consumed, yet is
// reported at its beginning.
func word(text string) rule {
	want, quoted := []rune(text), strconv.Quote(text)
	return func(in *source, at int) outcome {
		for i, r := range want {
			if at+i < len(in.text) && in.text[at+i] == r {
				continue
			}
			token := ""
			if at+i < len(in.text) {
				token = haskellString(in.text[at+i])
			}
			return outcome{consumed: i > 0, at: at, failure: in.fail(at, message{expected, quoted}, message{unexpectedToken, token})}
		}
		end := at + len(want)
		return outcome{ok: true, consumed: true, at: end, failure: failure{at: end}}
	}
}

// sequence applies rules one after the other.
func sequence(rules ...rule) rule {
	return func(in *source, at int) outcome {
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
	return func(in *source, at int) outcome {
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
	return func(in *source, at int) outcome {
		o := r(in, at)
		o.consumed = o.consumed && o.ok
		return o
	}
}

// ahead checks that r is next, without consuming it.
func ahead(r rule) rule {
	return func(in *source, at int) outcome {
		if o := r(in, at); !o.ok {
			return o
		}
		return nothing(in, at)
	}
}

// many applies a rule as often as it succeeds.
func many(r rule) rule {
	return func(in *source, at int) outcome {
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

// run is many(r) for a rule of one character that passes a test; it is what makes long texts cheap.
func run(test func(rune) bool, r rule) rule {
	return func(in *source, at int) outcome {
		stop := at
		for stop < len(in.text) && test(in.text[stop]) {
			stop++
		}
		return outcome{ok: true, consumed: stop > at, at: stop, failure: r(in, stop).failure}
	}
}

func run1(test func(rune) bool, r rule) rule { return sequence(r, run(test, r)) }

func separated1(r, separator rule) rule {
	return sequence(r, many(sequence(separator, r)))
}

// label names what r expects when it fails at its beginning.
func label(r rule, what string) rule {
	return func(in *source, at int) outcome {
		o := r(in, at)
		if !o.consumed && (!o.ok || o.failure.known) {
			o.failure = in.expecting(o.failure, what)
		}
		return o
	}
}

// notBefore fails where r, a rule of one character, is next; the failure is placed behind it.
func notBefore(r rule) rule {
	return func(in *source, at int) outcome {
		o := r(in, at)
		if o.ok {
			return outcome{at: at, failure: in.fail(o.at, message{unexpected, haskellChar(in.text[at])})}
		}
		return outcome{ok: true, at: at, failure: o.failure}
	}
}

func end(in *source, at int) outcome {
	surprise := message{unexpectedToken, ""}
	if at < len(in.text) {
		surprise = message{unexpected, haskellChar(in.text[at])}
	}
	return outcome{ok: at >= len(in.text), at: at, failure: in.expecting(in.fail(at, surprise), "end of input")}
}

// position is the line and column of a character, counted as Parsec does: a tab goes to the next multiple of eight.
func (in *source) position(at int) (line, column int) {
	line, column = 1, 1
	for _, r := range in.text[:min(at, len(in.text))] {
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
