package httpcache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
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
	busy     atomic.Bool  // one variant is being made
	failed   atomic.Int64 // the age at which it could last not be fetched anew; 0: never
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

// setBody gives the answer its body and its ETag: the source's own, or a hash of all that the client gets. The fields
// belong to it, as a page of the same rows can be one of another number of rows.
func (a *answer) setBody(body []byte, etag string) {
	if tag, ok := opaque(etag); ok {
		a.tag = strings.Clone(tag)
	} else {
		hash := sha256.New()
		_ = binary.Write(hash, binary.BigEndian, uint32(a.status)) // a hash takes everything
		for _, f := range a.fields {
			_, _ = fmt.Fprintf(hash, "%s%q", f.name, f.values)
		}
		_, _ = hash.Write(body)
		a.tag = hex.EncodeToString(hash.Sum(nil)[:16])
	}
	a.variants[identity].Store(a.variant(identity, body))
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
	const fixed, perField, perVariant = 320, 96, 224
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

// serve sends the answer, or 304 if the client has it (RFC 9110, section 15.4.5). e is nil where it was not in the cache:
// then nobody knows yet whether encoding it is worth the work.
func (a *answer) serve(w http.ResponseWriter, r *http.Request, e *cache.Entry, caller *auth.Caller) {
	header, unchanged := w.Header(), a.unchanged(r.Header)
	header["Cache-Control"] = a.control(caller)
	for i := range a.fields {
		if f := &a.fields[i]; !unchanged || !ofBody(f.name) {
			header[f.name] = f.values
		}
	}
	if others, ok := header["Vary"]; ok {
		header["Vary"] = append(slices.Clip(others), a.vary...)
	} else {
		header["Vary"] = a.vary
	}
	v := a.choose(r.Header, e, unchanged)
	if a.status == http.StatusOK || a.status == http.StatusPartialContent {
		header["Etag"] = v.tag
	}
	if unchanged {
		w.WriteHeader(http.StatusNotModified)
		return
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

// ofBody tells which fields 304 has not: the client has them with the body.
func ofBody(name string) bool {
	switch name {
	case "Content-Type", "Content-Range", "Content-Profile":
		return true
	}
	return false
}
