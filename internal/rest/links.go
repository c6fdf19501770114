package rest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// links gives the Link fields (RFC 8288) that lead to the pages around this one.
func (a *answer) links() ([]string, error) {
	if a.plan.Keyset == nil {
		return nil, nil
	}
	var first, last []*string
	var more bool
	if err := json.Unmarshal(a.keyset, &[]any{&first, &last, &more}); err != nil {
		return nil, fmt.Errorf("read the page's keys: %w", err)
	}
	if len(first) == 0 {
		return nil, nil // an empty page leads nowhere
	}
	backward, started := a.plan.Keyset.Backward, a.req.Query.Cursor != ""
	if backward {
		first, last = last, first
	}
	var out []string
	if backward && more || started && !backward {
		out = append(out, a.link("prev", true, first))
	}
	if backward || more {
		out = append(out, a.link("next", false, last))
	}
	return out, nil
}

// link is the request's own URL with another cursor.
func (a *answer) link(rel string, backward bool, key []*string) string {
	b := []byte("</")
	b = appendComponent(b, a.req.Name)
	b = append(b, '?')
	for _, p := range appendParameters(nil, a.r.URL.RawQuery) {
		if unescape(p.name) == "cursor" && unescape(p.value) == a.req.Query.Cursor {
			continue // a filter on a column of that name stays
		}
		b = appendReference(b, p.name)
		b = append(b, '=')
		b = appendReference(b, p.value)
		b = append(b, '&')
	}
	b = append(b, "cursor="...)
	b = append(b, encodeCursor(a.options.CursorSecret, a.plan.Keyset.Order, backward, key)...)
	return string(append(b, `>; rel="`+rel+`"`...))
}

// appendReference keeps a query component as it was sent, but for the bytes that no URI can have (RFC 3986, section
// 3.4): a > would end the reference.
func appendReference(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^`+"`{|}", c) >= 0 {
			dst = appendEscaped(dst, c)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
