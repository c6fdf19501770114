package request

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// EntityTags is the value of If-Match or If-None-Match (RFC 9110, sections 13.1.1 and 13.1.2).
type EntityTags struct {
	// Any is "*": whatever there is.
	Any bool
	// List has one tag at least, unless Any is set.
	List []EntityTag
}

// EntityTag is an entity tag (RFC 9110, section 8.8.3).
type EntityTag struct {
	Opaque string // without the quotes
	Weak   bool
}

// Decoded is the tag of the same representation without a content coding. Encodings have tags of their own (RFC 9110,
// section 8.8.3.3), which the cache makes by appending their names; what they are tags of is the same.
func (t EntityTag) Decoded() EntityTag {
	for _, suffix := range [...]string{"-gzip", "-zstd", "-br"} {
		if opaque, ok := strings.CutSuffix(t.Opaque, suffix); ok {
			return EntityTag{Opaque: opaque, Weak: t.Weak}
		}
	}
	return t
}

// MatchesStrongly compares a tag with the list as If-Match does: a weak tag matches nothing (RFC 9110, section 8.8.3.2).
func (t *EntityTags) MatchesStrongly(tag EntityTag) bool {
	return t.matches(func(o EntityTag) bool { return !o.Weak && (o == tag || o.Decoded() == tag) })
}

// MatchesWeakly compares a tag with the list as If-None-Match does.
func (t *EntityTags) MatchesWeakly(tag EntityTag) bool {
	return t.matches(func(o EntityTag) bool { return o.Opaque == tag.Opaque || o.Decoded().Opaque == tag.Opaque })
}

func (t *EntityTags) matches(same func(EntityTag) bool) bool {
	for _, o := range t.List {
		if same(o) {
			return true
		}
	}
	return t.Any
}

// ParseEntityTag reads a single tag.
func ParseEntityTag(text string) (EntityTag, bool) {
	tag, rest, ok := cutEntityTag(text)
	return tag, ok && rest == ""
}

// setPreconditions reads the headers that make a request conditional. Functions have none: what they give is theirs to
// tag, and they find the headers in request.headers. OPTIONS does not concern a representation (RFC 9110, section 13.2.1).
func (r *Request) setPreconditions(header http.Header) (err *apierr.Error) {
	if r.Target != Relation || r.Method == "OPTIONS" {
		return nil
	}
	if r.IfMatch, err = parseEntityTags("If-Match", header["If-Match"]); err != nil {
		return err
	}
	r.IfNoneMatch, err = parseEntityTags("If-None-Match", header["If-None-Match"])
	return err
}

// parseEntityTags reads the field lines of a header; nil is none.
func parseEntityTags(name string, lines []string) (*EntityTags, *apierr.Error) {
	if len(lines) == 0 {
		return nil, nil
	}
	text := strings.Join(lines, ", ")
	if strings.Trim(text, " \t") == "*" {
		return &EntityTags{Any: true}, nil
	}
	tags := &EntityTags{}
	rest := text
	for {
		rest = strings.TrimLeft(rest, " \t,") // a list may have empty elements (RFC 9110, section 5.6.1.2)
		if rest == "" && len(tags.List) > 0 {
			return tags, nil
		}
		tag, after, ok := cutEntityTag(rest)
		if !ok {
			return nil, malformedTags(name, text, rest)
		}
		tags.List = append(tags.List, tag)
		if rest = strings.TrimLeft(after, " \t"); rest != "" && rest[0] != ',' {
			return nil, malformedTags(name, text, rest)
		}
	}
}

// cutEntityTag takes a tag from the beginning. Blanks, controls and quotes cannot be in one, commas and backslashes can.
func cutEntityTag(s string) (tag EntityTag, rest string, ok bool) {
	s, tag.Weak = strings.CutPrefix(s, "W/")
	if s, ok = strings.CutPrefix(s, `"`); !ok {
		return tag, "", false
	}
	tag.Opaque, rest, ok = strings.Cut(s, `"`)
	bad := strings.IndexFunc(tag.Opaque, func(c rune) bool { return c <= ' ' || c == 0x7f })
	return tag, rest, ok && bad < 0
}

func malformedTags(name, text, rest string) *apierr.Error {
	found := "the end"
	if rest != "" {
		found = strconv.QuoteToASCII(rest[:min(len(rest), 20)])
	}
	return &apierr.Error{
		Code:    "SLIP115",
		Message: name + " cannot be read at character " + strconv.Itoa(len(text)-len(rest)+1),
		Details: "An entity tag was expected, not " + found,
		Hint:    `Send * alone, or ETags as they were given, in double quotes and separated by commas.`,
	}
}
