package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// opaque is what is between the quotes of a strong ETag.
func opaque(etag string) (string, bool) {
	if len(etag) < 2 || etag[0] != '"' || etag[len(etag)-1] != '"' {
		return "", false
	}
	return etag[1 : len(etag)-1], true
}

// names reports whether a client's tag is the answer's, in whatever encoding: the client has the same answer.
func (a *answer) names(tag string) bool {
	suffix, ok := strings.CutPrefix(tag, a.tag)
	return ok && slices.Contains(suffixes[:], suffix)
}

// unchanged decides If-None-Match, which compares weakly (RFC 9110, section 13.1.2).
func (a *answer) unchanged(header http.Header) bool {
	lines, ok := header["If-None-Match"]
	if !ok || a.status != http.StatusOK && a.status != http.StatusPartialContent {
		return false
	}
	found, _ := scanTags(lines, a.names)
	return found
}

// malformed reports whether there is an If-None-Match that cannot be read: the source knows what to say to that.
func malformed(header http.Header) bool {
	lines, ok := header["If-None-Match"]
	if !ok {
		return false
	}
	_, valid := scanTags(lines, func(string) bool { return false })
	return !valid
}

// scanTags goes through a list of entity tags until one, without its quotes and W/, is wanted. The list "*" is always. What
// follows a wanted one is not looked at.
func scanTags(lines []string, wanted func(opaque string) bool) (found, valid bool) {
	if len(lines) == 1 && strings.Trim(lines[0], " \t") == "*" {
		return true, true
	}
	some := false
	for _, rest := range lines {
		for {
			rest = strings.TrimLeft(rest, " \t,") // a list may have empty elements (RFC 9110, section 5.6.1.2)
			if rest == "" {
				break
			}
			tag, after, ok := cutTag(rest)
			if !ok {
				return false, false
			}
			if wanted(tag) {
				return true, true
			}
			some, rest = true, after
		}
	}
	return false, some
}

// cutTag takes a tag (RFC 9110, section 8.8.3) from the beginning; after it comes a comma or the end.
func cutTag(s string) (tag, rest string, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimPrefix(s, "W/"), `"`)
	if !ok {
		return "", "", false
	}
	tag, rest, ok = strings.Cut(s, `"`)
	if !ok || strings.IndexFunc(tag, func(c rune) bool { return c <= ' ' || c == 0x7f }) >= 0 {
		return "", "", false
	}
	rest = strings.TrimLeft(rest, " \t")
	return tag, rest, rest == "" || rest[0] == ','
}
