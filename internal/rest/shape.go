package rest

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"weak"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// answerHeaders are the headers of a GET on which its answer can depend, besides the caller's Authorization and what
// policies read of them.
var answerHeaders = [...]string{"Accept", "Accept-Profile", "Prefer", "Range", "Range-Unit", "If-Match"}

// AppendRequest appends all of a GET that decides which answer it gets, but for the caller and the data.
func (h *Handler) AppendRequest(dst []byte, r *http.Request) []byte {
	kind := byte(0)
	if rangedHead(r) {
		kind = 1
	}
	dst = append(dst, kind)
	dst = appendText(dst, r.URL.Path)
	dst = appendText(dst, r.URL.RawPath) // EscapedPath is the same for some that are not: /a"%2Fb, /a%22/b
	dst = appendText(dst, r.URL.RawQuery)
	for _, name := range answerHeaders {
		values := r.Header[name]
		dst = binary.AppendUvarint(dst, uint64(len(values)))
		for _, v := range values {
			dst = appendText(dst, v)
		}
	}
	return dst
}

// appendText appends a text so that where it ends is certain.
func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Shape is what all GETs that have the same AppendRequest have in common.
type Shape struct {
	handler  *Handler
	catalog  weak.Pointer[Catalog] // shapes that nobody asks for again must not keep catalogs of long ago
	version  [sha256.Size]byte
	kind     string // of the reason in bypass
	bypass   string
	route    string
	settings []schema.SettingRead
	keeping  plan.Keeping
	tables   []uint32 // that answers depend on
}

// Shape finds out whether the answer to a GET can be kept, and what of the caller it depends on.
func (h *Handler) Shape(r *http.Request) *Shape {
	catalog := h.catalog()
	s := &Shape{handler: h, catalog: weak.Make(catalog)}
	if catalog != nil {
		s.version = catalog.Digest
	}
	s.kind, s.bypass = s.look(r, catalog)
	return s
}

// The kinds of reasons besides those of a plan: see plan.Hindrance.
const (
	byPreRequest = "pre-request"
	byTarget     = "target"     // it is not of a relation
	byPrimary    = "primary"    // Prefer: read=primary
	byCondition  = "condition"  // If-Match
	byRefusal    = "refused"    // it is answered with an error
	byTime       = "time"       // it compares with a time that moves on
	byGap        = "unfollowed" // changes of a table are not told
)

// look returns why answers cannot be kept and what kind of reason that is, or nothing.
func (s *Shape) look(r *http.Request, catalog *Catalog) (kind, because string) {
	h := s.handler
	switch {
	case catalog == nil:
		return byRefusal, "has no schema yet"
	case rangedHead(r):
		return byTarget, "is a HEAD with a Range, which counts for GET only"
	}
	called := h.preRequestReach(catalog)
	if called.Opaque != "" {
		return byPreRequest, called.Opaque
	}
	get := *r
	get.Method = http.MethodGet // HEAD is answered by the answer to GET
	req, err := request.Parse(get.Method, get.URL, get.Header, h.options.Request)
	if err != nil {
		return byRefusal, refused(err)
	}
	if req.Target == request.Root {
		return byTarget, "is the root"
	}
	if req.Prefer.Read != "" {
		return byPrimary, "asks for the primary"
	}
	if req.IfMatch != nil {
		return byCondition, "has a condition"
	}
	x := &exchange{Handler: h, r: &get, req: req, catalog: catalog, caller: auth.CallerFrom(r.Context())}
	if err := x.readCursor(); err != nil {
		return byRefusal, refused(err)
	}
	p, err := x.plan()
	if err != nil {
		return byRefusal, refused(err)
	}
	s.route = p.route
	switch f := p.Fill; {
	case f == nil:
		return byTarget, "has no plan for the cache"
	case f.Because != "":
		return string(f.Hindrance), f.Because
	case x.moves(f) && !f.Keeping.Limited:
		return byTime, "compares with a time that moves on"
	case f.Keeping.Limited && len(called.Tables) > 0: // whom the function refuses by then must not be served for a while yet
		return byPreRequest, "calls the pre-request function, which reads tables, and its answers are kept for a time"
	default:
		s.settings, s.keeping, s.tables = f.Settings, f.Keeping, f.AllTables()
		s.after(called)
	}
	if s.keeping.Limited && !x.follows(p.Fill) {
		s.tables = p.Fill.Relations
	}
	return "", ""
}

// rangedHead reports whether the answer to a HEAD has other headers than that to the same GET.
func rangedHead(r *http.Request) bool {
	return r.Method == http.MethodHead && len(r.Header["Range"]) > 0
}

func refused(err error) string {
	if e := apierr.From(err); e != nil {
		return "is refused with " + e.Code
	}
	return "is refused"
}

// moves reports whether an operand means another time each time.
func (x *exchange) moves(f *plan.Fill) bool {
	for _, v := range f.Moving {
		if plan.MovingInput(x.req.Query.Values[v]) {
			return true
		}
	}
	return false
}

// Valid is false once the schema was read again.
func (s *Shape) Valid() bool { return s.handler.catalog() == s.catalog.Value() }

// Version is the catalog's Digest.
func (s *Shape) Version() [sha256.Size]byte { return s.version }

// Bypass says in a few words why answers are not kept and which of a few kinds of reasons that is, or nothing.
func (s *Shape) Bypass() (kind, because string) { return s.kind, s.bypass }

// Limited reports whether answers may be kept for a time where changes are not told.
func (s *Shape) Limited() bool { return s.keeping.Limited }

// Grace is for how long after that they may be served while they are fetched anew, and where that fails.
func (s *Shape) Grace() (whileRevalidate, ifError time.Duration) {
	return s.keeping.Revalidate, s.keeping.IfError
}

// Unfollowed says why answers are not kept now: the changes of a table that they depend on are not told.
func (s *Shape) Unfollowed() (kind, because string) {
	if s.keeping.Limited {
		return "", ""
	}
	published := s.handler.options.Published
	if published == nil || slices.ContainsFunc(s.tables, func(t uint32) bool { return !published(t) }) {
		return byGap, "depends on a table whose changes are not told"
	}
	return "", ""
}

// Tables are those that answers depend on, by OID; where their changes are not told, all relations that answers are read from.
func (s *Shape) Tables() []uint32 { return s.tables }

// Route names the relation.
func (s *Shape) Route() string { return s.route }

// Public reports whether caches on the way may keep answers for anonymous callers, and how long these need not ask again.
func (s *Shape) Public() (public bool, maxAge time.Duration) {
	return s.keeping.Public, s.keeping.MaxAge
}

// Tags are the relations of the request, as schema.name with what is special in a header field percent-encoded.
func (s *Shape) Tags() []string {
	tags := make([]string, len(s.keeping.Relations))
	for i, n := range s.keeping.Relations {
		tags[i] = Tag(n)
	}
	return tags
}

// Tag is that of a relation, as Shape.Tags has it.
func Tag(n schema.Name) string { return url.PathEscape(n.Schema) + "." + url.PathEscape(n.Name) }

// Settings are what policies and views read, and what the configuration adds.
func (s *Shape) Settings() []schema.SettingRead { return s.settings }

// AppendCaller appends what of the caller the answer depends on: the role, and the settings that policies on the way read
// of the caller and the request. Other settings are the role's own and the configuration's, which are the same for all
// requests of the role until the catalog is read again.
func (s *Shape) AppendCaller(dst []byte, r *http.Request) []byte {
	caller := auth.CallerFrom(r.Context())
	dst = appendText(dst, caller.Role)
	for _, setting := range s.settings {
		switch setting.Name {
		case "request.jwt.claims":
			if setting.Claim == "" {
				dst = appendText(dst, string(caller.Claims))
			} else {
				dst = appendText(dst, string(caller.Claim(setting.Claim)))
			}
		case "request.headers":
			dst = appendHeaders(dst, r, setting.Claim)
		case "request.cookies":
			dst = appendText(dst, cookiesJSON(r))
		case "request.method":
			dst = appendText(dst, r.Method)
		}
	}
	return dst
}

// appendHeaders appends what headersJSON shows of the headers: all of them, or the one whose name, in whatever case, is
// member. Their order in the header is another one each time.
func appendHeaders(dst []byte, r *http.Request, member string) []byte {
	if member == "" || strings.EqualFold(member, "Host") {
		dst = appendText(dst, r.Host)
	}
	var names []string
	for name, values := range r.Header {
		if len(values) > 0 && name != "Cookie" && (member == "" || strings.EqualFold(name, member)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		values := r.Header[name]
		dst = appendText(appendText(dst, name), values[len(values)-1])
	}
	return dst
}
