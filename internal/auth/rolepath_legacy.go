package auth

import (
	"strings"
	"unicode"
)

// parseLegacyPath reads PostgREST's syntax of before version 16: .name,
// ."quoted name", [0], and as the last part [?(@ == "text")], whose operators are
// == != ^== (begins with), ==^ (ends with) and *== (contains)
// (https://postgrest.org/en/v14/references/auth.html#jwt-role-claim-key-extraction).
func parseLegacyPath(path string) (rolePath, error) {
	p := &pathParser{src: path}
	var out rolePath
	for !p.done() {
		s, err := p.legacyStep()
		if err != nil {
			return rolePath{}, err
		}
		out.segments = append(out.segments, segment{selectors: []selector{s}})
		if _, filter := s.(filterSelector); filter && !p.done() {
			return rolePath{}, p.fail("nothing may follow a filter, but something does")
		}
	}
	return out, nil
}

func (p *pathParser) legacyStep() (selector, error) {
	switch {
	case p.accept("[?("):
		return p.legacyFilter()
	case p.accept("["):
		digits := p.takeWhile(func(r rune) bool { return r >= '0' && r <= '9' })
		i, err := p.integer(digits)
		if err != nil {
			return nil, err
		}
		return indexSelector(i), p.expect("]")
	case p.accept(`."`):
		name, err := p.legacyQuoted()
		return nameSelector(name), err
	case p.accept("."):
		name := p.takeWhile(func(r rune) bool {
			return unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("_$@", r)
		})
		if name == "" {
			return nil, p.fail("a name of letters, digits, _, $ and @, or a quoted one, is missing")
		}
		return nameSelector(name), nil
	}
	return nil, p.fail(`".name" or "[" is missing`)
}

func (p *pathParser) legacyFilter() (selector, error) {
	if err := p.expect("@"); err != nil {
		return nil, err
	}
	p.space()
	op := p.acceptAny("==^", "==", "!=", "^==", "*==")
	if op == "" {
		return nil, p.fail("one of == != ^== ==^ *== is missing")
	}
	p.space()
	if err := p.expect(`"`); err != nil {
		return nil, err
	}
	text, err := p.legacyQuoted()
	if err != nil {
		return nil, err
	}
	// One match is all that a role needs, so that the filter may stand for all.
	return filterSelector{test: stringTest{op: op, text: text}}, p.expect(")]")
}

// legacyQuoted reads up to the closing quote; there are no escapes.
func (p *pathParser) legacyQuoted() (string, error) {
	text := p.takeWhile(func(r rune) bool { return r != '"' })
	return text, p.expect(`"`)
}
