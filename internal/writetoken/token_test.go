package writetoken_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/writetoken"
)

var (
	key   = writetoken.Key("of this instance and its like")
	early = pg.Position{LSN: 0x16_B374D848, Timeline: 3, System: 7351234567890123456}
	late  = pg.Position{LSN: early.LSN + 1, Timeline: 3, System: early.System}
)

func sign(p pg.Position) string { return key.Sign(writetoken.PlaceOf(p)) }

func TestToken(t *testing.T) {
	token := sign(early)
	if len(token) != 44 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%q is no short text that can stand in a header", token)
	}
	p, ok := key.Verify(token)
	if !ok || p != writetoken.PlaceOf(early) {
		t.Fatalf("%+v %v", p, ok)
	}
	for _, tc := range []struct {
		system   uint64
		timeline uint32
		want     bool
	}{{early.System, 3, true}, {early.System, 4, false}, {early.System, 2, false}, {early.System + 1, 3, false}} {
		if got := p.Within(tc.system, tc.timeline); got != tc.want {
			t.Errorf("within timeline %d of %d: %v", tc.timeline, tc.system, got)
		}
	}
}

// No character of a token can be another one.
func TestTokenForged(t *testing.T) {
	token := sign(early)
	refuse := func(forged string) {
		t.Helper()
		if p, ok := key.Verify(forged); ok {
			t.Errorf("%q counts as %+v", forged, p)
		}
	}
	for i := range token {
		for _, c := range "Aa0-_=,. \x00" {
			if forged := token[:i] + string(c) + token[i+1:]; forged != token {
				refuse(forged)
			}
		}
	}
	for _, forged := range []string{"", "x", token + "A", token[:43], token[1:], token + token, writetoken.Key("another").Sign(writetoken.PlaceOf(early))} {
		refuse(forged)
	}
}

func TestSeveralTokens(t *testing.T) {
	promoted, other := late, late
	promoted.Timeline++
	other.System++
	for _, tc := range []struct {
		what  string
		lines []string
		want  uint64 // LSN; 0: refused
	}{
		{"one", []string{sign(early)}, early.LSN},
		{"a list", []string{sign(late) + ", " + sign(early)}, late.LSN},
		{"two lines", []string{sign(early), sign(late)}, late.LSN},
		{"two timelines", []string{sign(early) + "," + sign(promoted)}, 0},
		{"two clusters", []string{sign(early), sign(other)}, 0},
		{"one that is forged", []string{sign(early), "x"}, 0},
		{"an empty one", []string{sign(early) + ","}, 0},
		{"nothing", []string{""}, 0},
		{"no line", nil, 0},
	} {
		p, ok := key.VerifyAll(tc.lines)
		if ok != (tc.want != 0) || p.LSN != tc.want {
			t.Errorf("%s: %+v %v", tc.what, p, ok)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(sign(early))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if p, ok := key.Verify(token); ok && key.Sign(p) != token {
			t.Errorf("%q and %q both stand for %+v", token, key.Sign(p), p)
		}
	})
}
