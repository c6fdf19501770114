package request

import (
	"strings"
	"testing"
)

// What PostgREST's documentation of its own parser says of malformed texts.
func TestMessagesArePostgRESTs(t *testing.T) {
	tests := []struct {
		rule    rule
		text    string
		column  int
		details string
	}{
		{forestRule, "id,clients(name[])", 16, `unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{forestRule, "data->>-78xy", 11, `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`},
		{nameRule, ":", 1, `unexpected ":" expecting field name (* or [a..z0..9_$])`},
		{jsonPathRule, "->>-78xy", 7, `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`},
		{jsonPathRule, "->>--34", 5, `unexpected "-" expecting digit`},
		{jsonPathRule, "->>-xy-4", 5, `unexpected "x" expecting digit`},
		{relationRule, "rel->jsonpath(*)", 6, `unexpected '>'`},
		{relationRule, "rel->jsonpath!hint(*)", 6, `unexpected '>'`},
		{fieldRule, "name!hint", 5, `unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{fieldRule, "*!hint", 2, `unexpected '!' expecting ")", "," or end of input`},
		{fieldRule, "name::", 7, `unexpected end of input expecting letter or digit`},
		{spreadRule, "rel(*)", 1, `unexpected "r" expecting "..."`},
		{spreadRule, "alias:...rel(*)", 1, `unexpected "a" expecting "..."`},
		{spreadRule, "...rel->jsonpath(*)", 9, `unexpected '>'`},
		{filterRule, "noop.0", 1, `unexpected "o" expecting "not" or operator (eq, gt, ...)`},
		{filterRule, "val", 1, `unexpected "v" expecting "not" or operator (eq, gt, ...)`},
		{filterRule, "fts().value", 5, `unexpected ")" expecting operator (eq, gt, ...)`},
		{filterRule, "eq().value", 4, `unexpected ")" expecting operator (eq, gt, ...)`},
		{filterRule, "is().value", 3, `unexpected "(" expecting operator (eq, gt, ...)`},
		{filterRule, "in().value", 3, `unexpected "(" expecting operator (eq, gt, ...)`},
		{orderRule, "clients(name,id)", 8, `unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`},
		{orderRule, "id.ac", 4, `unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"`},
		{orderRule, "id.descc", 8, `unexpected 'c' expecting delimiter (.), "," or end of input`},
		{orderRule, "id.nulsfist", 4, `unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast"`},
		{orderRule, "id.nullslasttt", 13, `unexpected 't' expecting "," or end of input`},
		{orderRule, "id.smth34", 4, `unexpected "s" expecting "asc", "desc", "nullsfirst" or "nullslast"`},
		{orderRule, "id.asc.nlsfst", 8, `unexpected "l" expecting "nullsfirst" or "nullslast"`},
		{orderRule, "id.asc.nullslasttt", 17, `unexpected 't' expecting "," or end of input`},
		{orderRule, "id.asc.smth34", 8, `unexpected "s" expecting "nullsfirst" or "nullslast"`},
		{logicRule, "or()", 4, `unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)`},
		{logicRule, "or(id.in.1,2,id.eq.3)", 10, `unexpected "1" expecting "("`},
		{logicRule, "or)(", 3, `unexpected ")" expecting "("`},
		{logicRule, "and(ord(id.eq.1,id.eq.1),id.eq.2)", 7, `unexpected "d" expecting "("`},
		{logicRule, "or(id.eq.1,not.xor(id.eq.2,id.eq.3))", 16, `unexpected "x" expecting logic operator (and, or)`},
	}
	for _, tt := range tests {
		in := &source{text: []rune(tt.text), watch: tt.column - 1}
		o := tt.rule(in, 0)
		if _, column := in.position(o.failure.at); o.ok || column != tt.column || o.failure.text() != tt.details {
			t.Errorf("%q: column %d: %s\nwant column %d: %s", tt.text, column, o.failure.text(), tt.column, tt.details)
		}
	}
}

func TestPositionCountsLinesAndTabs(t *testing.T) {
	in := &source{text: []rune("a\n\tb\tcé")}
	for at, want := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {2, 9}, {2, 10}, {2, 17}, {2, 18}, {2, 19}} {
		if line, column := in.position(at); line != want[0] || column != want[1] {
			t.Errorf("position(%d) = %d, %d, want %v", at, line, column, want)
		}
	}
}

func TestCharactersAreShownAsHaskellDoes(t *testing.T) {
	for r, want := range map[rune]string{'a': `"a"`, '"': `"\""`, '\'': `"'"`, '\\': `"\\"`, '\n': `"\n"`, 0x1b: `"\ESC"`, 0x7f: `"\DEL"`, 'é': `"\233"`, '名': `"\21517"`} {
		if got := haskellString(r); got != want {
			t.Errorf("string of %q is %s, want %s", r, got, want)
		}
	}
	for r, want := range map[rune]string{'a': `'a'`, '"': `'"'`, '\'': `'\''`, '\t': `'\t'`} {
		if got := haskellChar(r); got != want {
			t.Errorf("character %q is %s, want %s", r, got, want)
		}
	}
}

// run is many for one character; both must say the same.
func TestRunIsMany(t *testing.T) {
	slow, fast := many(choice(letter, digit)), run(isIdentifierRune, choice(letter, digit))
	for _, text := range []string{"", "a", "ab1", "ab-", "-", "é名1.", strings.Repeat("x", 50)} {
		for watch := range len(text) + 1 {
			in := &source{text: []rune(text), watch: watch}
			a, b := slow(in, 0), fast(in, 0)
			if a.ok != b.ok || a.consumed != b.consumed || a.at != b.at || a.failure.text() != b.failure.text() || a.failure.at != b.failure.at {
				t.Errorf("%q: many %+v, run %+v", text, a, b)
			}
		}
	}
}
