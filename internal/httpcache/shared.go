package httpcache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/fxamacker/cbor/v2"

	"github.com/slipstream-go/slipstream/cache"
)

// Namespace stands for all that answers depend on besides the request, the caller, the data and the shape's version, as far
// as processes may differ in it. Zero is none: nothing is shared.
type Namespace struct {
	ID [sha256.Size]byte
	// Term is another one each time that ID had to be found out anew, even if it is the same: what was fetched in two terms
	// is not shared.
	Term uint64
}

// sharing is a miss of which the answer may come from another process, or go to others.
type sharing struct {
	handler   *Handler
	namespace Namespace
	shape     Shape
	key       cache.Key
}

// sharing returns nil if nothing can be shared now. Who limits the age asks for what is certain here; what is kept for a time
// whatever changes, others know nothing of.
func (h *Handler) sharing(r *http.Request, shape Shape) *sharing {
	if h.options.Namespace == nil || shape.Limited() || requestDirectives(r.Header).maxAge != math.MaxInt {
		return nil
	}
	s := &sharing{handler: h, namespace: h.options.Namespace(), shape: shape}
	version := shape.Version()
	if s.namespace.ID == [sha256.Size]byte{} || version == [sha256.Size]byte{} {
		return nil
	}
	b := append(s.namespace.ID[:], version[:]...)
	sum := sha256.Sum256(h.options.Source.AppendRequest(b, r))
	sum = sha256.Sum256(shape.AppendCaller(sum[:], r))
	s.key = cache.Key(sum[:16])
	return s
}

// load ends the fill with an answer that another process has fetched, or returns nil.
func (s *sharing) load(ctx context.Context, fill *cache.Fill) *cache.Entry {
	if s == nil {
		return nil
	}
	return fill.Load(ctx, s.key, decodeAnswer)
}

// offer gives an answer that was fetched just now to others, if the source was the same all the time: the answer may else
// be of another version than the key.
func (s *sharing) offer(e *cache.Entry) {
	if s == nil || !s.shape.Valid() || s.handler.options.Namespace() != s.namespace {
		return
	}
	e.Share(s.key, func(v cache.Value) []byte { return v.(*answer).encode() })
}

// sharedAnswer is an answer as other processes get it, in CBOR. They make the encoded variants themselves.
type sharedAnswer struct {
	_      struct{} `cbor:",toarray"`
	Status int
	Names  []string // of fields
	Values [][]string
	Vary   []string
	Public []string
	Tag    string
	Body   []byte
}

func (a *answer) encode() []byte {
	s := sharedAnswer{Status: a.status, Vary: a.vary, Public: a.public, Tag: a.tag, Body: a.variants[identity].Load().body}
	for _, f := range a.fields {
		s.Names, s.Values = append(s.Names, f.name), append(s.Values, f.values)
	}
	b, err := cbor.Marshal(s)
	if err != nil {
		return nil // texts and numbers can be encoded
	}
	return b
}

func decodeAnswer(b []byte) (cache.Value, error) {
	var s sharedAnswer
	if err := cbor.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("decode an answer: %w", err)
	}
	if !keepable(s.Status) || len(s.Names) != len(s.Values) || s.Tag == "" {
		return nil, errors.New("decode an answer: it is none that is kept")
	}
	a := &answer{status: s.Status, vary: s.Vary, public: s.Public, tag: s.Tag}
	for i, name := range s.Names {
		a.fields = append(a.fields, field{name, s.Values[i]})
	}
	a.variants[identity].Store(a.variant(identity, s.Body))
	return a, nil
}
