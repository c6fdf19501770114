package httpcache_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decode reads a body with a decoder that has not made it.
func decode(t *testing.T, encoding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestEncodings(t *testing.T) {
	body := strings.Repeat(`{"id":1,"name":"bolt"},`, 400)
	s := newRig(t, body)
	// Nobody knows of a new answer whether it is asked for again.
	s.get(t, "/items", "Accept-Encoding: br").check(t, 200, body, stored, "Content-Encoding:", "Vary: Accept-Encoding")
	for _, c := range []struct{ accepts, want string }{
		{"gzip", "gzip"}, {"x-gzip", "gzip"}, {"GZIP", "gzip"}, {"zstd", "zstd"}, {"br", "br"},
		{"gzip, deflate, br, zstd", "br"}, {"gzip, zstd", "zstd"}, {"br;q=0.5, gzip", "gzip"}, {"br; q=0.5, gzip;q=0.7", "gzip"},
		{"gzip;q=1.0, br;q=1", "br"}, {"br;q=0, gzip", "gzip"}, {"br;Q=0, gzip", "gzip"}, {"*", "br"}, {"br;q=0, *", "zstd"},
		{"gzip;q=0.5, *;q=0.1", "gzip"}, {"identity;q=0, gzip;q=0.1", "gzip"}, {"gzip;q=0.5, identity;q=0.5", "gzip"},
		{"", ""}, {"identity", ""}, {"deflate", ""}, {"gzip;q=0", ""}, {"*;q=0", ""}, {"identity;q=0", ""},
		{"gzip;q=0.5, identity", ""}, {"gzip;q=nan", ""}, {"gzip;q=2", ""}, {"gzip;q=-1", ""}, {"gzip;q=", ""}, {"gzipp", ""},
	} {
		a := s.get(t, "/items", "Accept-Encoding: "+c.accepts)
		if got := a.Header.Get("Content-Encoding"); got != c.want {
			t.Errorf("Accept-Encoding %q: %q, want %q", c.accepts, got, c.want)
		} else if decode(t, c.want, a.body) != body {
			t.Errorf("Accept-Encoding %q: another body", c.accepts)
		}
		a.check(t, 200, "*", "Vary: Accept-Encoding")
	}
	s.get(t, "/items", "Accept-Encoding: gzip;q=0.5", "Accept-Encoding: br").check(t, 200, "*", "Content-Encoding: br")
	s.asked(t, 1)
}

func TestEncodingThatIsNotWorthIt(t *testing.T) {
	s := newRig(t, strings.Repeat("x", 1279))
	s.get(t, "/items", "Accept-Encoding: br").check(t, 200, "*", "Content-Encoding:", "Vary: Accept-Encoding", "Content-Length: 1279")
	noise := make([]byte, 4000)
	_, _ = rand.Read(noise)
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) { _, _ = w.Write(noise) }
	for _, e := range []string{"br", "gzip", "zstd", "br"} {
		s.get(t, "/noise", "Accept-Encoding: "+e).check(t, 200, string(noise), "Content-Encoding:", "Content-Length: 4000")
	}
}

// What encodings take counts against the budget.
func TestEncodingsAreWeighed(t *testing.T) {
	noise := make([]byte, 8000)
	_, _ = rand.Read(noise)
	s := newRig(t, hex.EncodeToString(noise))
	s.get(t, "/items")
	plain := s.cache.Stats().Bytes
	a := s.get(t, "/items", "Accept-Encoding: br")
	if grown := s.cache.Stats().Bytes; grown < plain+uint64(len(a.body)) || a.Header.Get("Content-Encoding") != "br" {
		t.Errorf("%d bytes, with %d more %d", plain, len(a.body), grown)
	}
}

// Whoever comes while an encoding is made gets the body as it is, and nobody a torn one.
func TestEncodingOnceForMany(t *testing.T) {
	body := string(bytes.Repeat([]byte("0123456789abcdef"), 10_000))
	s := newRig(t, body)
	s.get(t, "/items")
	inParallel(20, func(int) {
		a, err := s.try(t, "GET", "/items", "Accept-Encoding: br, gzip;q=0.5")
		if err != nil {
			t.Error(err)
			return
		}
		if decode(t, a.Header.Get("Content-Encoding"), a.body) != body {
			t.Error("another body")
		}
	})
	s.get(t, "/items", "Accept-Encoding: br").check(t, 200, "*", "Content-Encoding: br", hit)
}
