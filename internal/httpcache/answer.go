package httpcache

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
)

// answer is one that is kept. Its fields are shared by all to whom it is given.
type answer struct {
	status int
	fields []field
	vary   []string
	// public is Cache-Control for anonymous callers where that is not as usual, or nil.
	public []string
	tag    string // the opaque part of its ETag
	// variants by encoding; identity is there from the start, the others when the first client has asked for them.
	variants [encodings]atomic.Pointer[variant]
	busy     atomic.Bool // one variant is being made
}

type field struct {
	name   string
	values []string
}

// variant is the body in one encoding.
type variant struct {
	body     []byte
	length   []string // Content-Length
	tag      []string // ETag
	encoding []string // Content-Encoding; nil for identity
}

// setBody gives the answer its body and its ETag: the source's own, or a hash of the body.
func (a *answer) setBody(body []byte, etag string) {
	if tag, ok := opaque(etag); ok {
		a.tag = tag
	} else {
		sum := sha256.Sum256(body)
		a.tag = hex.EncodeToString(sum[:16])
	}
	a.variants[identity].Store(a.variant(identity, body))
}

// opaque is what is between the quotes of a strong ETag.
func opaque(etag string) (string, bool) {
	if len(etag) < 2 || etag[0] != '"' || etag[len(etag)-1] != '"' {
		return "", false
	}
	return etag[1 : len(etag)-1], true
}

func (a *answer) variant(e encoding, body []byte) *variant {
	v := &variant{body: body, length: []string{strconv.Itoa(len(body))}, tag: []string{`"` + a.tag + suffixes[e] + `"`}}
	if e != identity {
		v.encoding = []string{e.String()}
	}
	return v
}

// Size implements cache.Value.
func (a *answer) Size() int {
	const fixed, perField, perVariant = 256, 64, 192
	n := fixed
	for _, f := range a.fields {
		n += perField + len(f.name)
		for _, v := range f.values {
			n += len(v)
		}
	}
	for i := range a.variants {
		if v := a.variants[i].Load(); v != nil && (v.encoding != nil || i == int(identity)) {
			n += perVariant + cap(v.body)
		}
	}
	return n
}

// serve sends the answer, or 304 if the client has it (RFC 9110, section 13.1.2).
func (a *answer) serve(w http.ResponseWriter, r *http.Request, e *cache.Entry, caller *auth.Caller) {
	v := a.choose(r.Header, e)
	header := w.Header()
	header["Cache-Control"] = a.control(caller)
	for i := range a.fields {
		header[a.fields[i].name] = a.fields[i].values
	}
	if others, ok := header["Vary"]; ok {
		header["Vary"] = append(others, a.vary...)
	} else {
		header["Vary"] = a.vary
	}
	if a.status == http.StatusOK || a.status == http.StatusPartialContent {
		header["Etag"] = v.tag
		if none, ok := r.Header["If-None-Match"]; ok && a.matches(none) {
			delete(header, "Content-Type")
			delete(header, "Content-Range")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if v.encoding != nil {
		header["Content-Encoding"] = v.encoding
	}
	header["Content-Length"] = v.length
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(v.body) // a client that went away is no error of ours
	}
}

// matches compares weakly, and whatever the encoding: the client has the same answer.
func (a *answer) matches(lines []string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimSpace(part)
			if part == "*" {
				return true
			}
			if tag, ok := opaque(strings.TrimPrefix(part, "W/")); ok && withoutSuffix(tag) == withoutSuffix(a.tag) {
				return true
			}
		}
	}
	return false
}
