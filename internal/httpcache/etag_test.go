package httpcache_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestNotModified(t *testing.T) {
	s := newRig(t, strings.Repeat("x", 5000))
	tag := s.get(t, "/items").Header.Get("ETag")
	if len(tag) != 34 || tag[0] != '"' {
		t.Fatalf("ETag %s", tag)
	}
	gzipped := strings.TrimSuffix(tag, `"`) + `-gzip"`
	unchanged := []string{
		hit, "Etag: " + tag, "Age: 0", "Cache-Control: no-cache", "Vary: Accept-Encoding", "Content-Type:", "Content-Length:",
	}
	for _, none := range []string{
		tag, "W/" + tag, "*", " * ", `"a", ` + tag, `"a,b",` + tag, tag + `,"z"`, ` ,, ` + tag + ` , `,
		gzipped, "W/" + gzipped, strings.Replace(gzipped, "gzip", "br", 1),
	} {
		s.get(t, "/items", "If-None-Match: "+none).check(t, 304, "", unchanged...)
	}
	s.get(t, "/items", `If-None-Match: "a"`, "If-None-Match: "+tag).check(t, 304, "", unchanged...)
	for _, none := range []string{
		`"a"`, `W/"a"`, strings.ToUpper(tag), `"` + tag[1:20] + `"`, strings.TrimSuffix(tag, `"`) + `-lzma"`, `"*"`,
		strings.TrimSuffix(tag, `"`) + `-gzip-gzip"`, `""`,
	} {
		s.get(t, "/items", "If-None-Match: "+none).check(t, 200, "*", hit, "Etag: "+tag)
	}
	s.asked(t, 1)
}

func TestMalformedIfNoneMatchIsForTheSource(t *testing.T) {
	s := newRig(t, "x")
	s.get(t, "/items")
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) { http.Error(w, "what?", 400) }
	for _, none := range []string{"a", "", ",", `"a`, `"a" "b"`, `*, "a"`, `"a b"`, `w/"a"`, `'a'`} {
		s.get(t, "/items", "If-None-Match: "+none).check(t, 400, "*",
			`Cache-Status: Slipstream; fwd=request; detail="If-None-Match cannot be read"`)
	}
}

// A miss is answered in full to the cache, and with 304 to the client.
func TestNotModifiedOnAMiss(t *testing.T) {
	s := newRig(t, "x")
	tag := s.get(t, "/items").Header.Get("ETag")
	s.insert()
	s.get(t, "/items", "If-None-Match: "+tag).check(t, 304, "", stored)
	s.get(t, "/items").check(t, 200, "x", hit)
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int64) {
		if r.Header.Get("If-None-Match") != tag {
			t.Error("the source does not see the request as it was sent")
		}
		_, _ = w.Write([]byte("y"))
	}
	s.insert()
	s.get(t, "/items", "If-None-Match: "+tag).check(t, 200, "y", stored)
}

// Encodings have tags of their own (RFC 9110, section 8.8.3.3).
func TestTagsOfEncodings(t *testing.T) {
	s := newRig(t, strings.Repeat("x", 5000))
	plain := strings.TrimSuffix(s.get(t, "/items").Header.Get("ETag"), `"`)
	for _, e := range []string{"gzip", "zstd", "br"} {
		tag := plain + "-" + e + `"`
		s.get(t, "/items", "Accept-Encoding: "+e).check(t, 200, "*", "Etag: "+tag, "Content-Encoding: "+e)
		s.get(t, "/items", "Accept-Encoding: "+e, "If-None-Match: "+plain+`"`).check(t, 304, "", "Etag: "+tag, "Content-Encoding:")
	}
}

func TestTagOfTheSource(t *testing.T) {
	s := newRig(t, "")
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int64) {
		w.Header().Set("ETag", r.URL.Query().Get("tag"))
		_, _ = w.Write([]byte("x"))
	}
	s.get(t, `/items?tag="v1-br"`).check(t, 200, "x", `Etag: "v1-br"`)
	s.get(t, `/items?tag="v1-br"`, `If-None-Match: "v1"`).check(t, 200, "x", hit) // another version's
	s.get(t, `/items?tag="v1-br"`, `If-None-Match: "v1-br-br"`).check(t, 304, "", hit)
	if tag := s.get(t, `/items?tag=W/"v1"`).Header.Get("ETag"); len(tag) != 34 {
		t.Errorf("a weak tag became %s", tag)
	}
}

// The same rows on a page of another number of rows are another answer.
func TestTagOfAPageHasItsTotal(t *testing.T) {
	s := newRig(t, "")
	total := "0-0/1"
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) {
		w.Header().Set("Content-Range", total)
		_, _ = w.Write([]byte(`[{"id":1}]`))
	}
	tag := s.get(t, "/items").Header.Get("ETag")
	total = "0-0/2"
	s.insert()
	s.get(t, "/items", "If-None-Match: "+tag).check(t, 200, "*", stored, "Content-Range: 0-0/2")
}
