package request

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// setAccept reads the Accept field lines: the media types by quality, then by
// how specific they are, then as sent (RFC 9110, section 12.5.1).
func (r *Request) setAccept(lines []string) {
	r.Accept = r.accept[:0]
	if len(lines) == 1 && !strings.ContainsAny(lines[0], ",;") {
		if name := strings.TrimSpace(lines[0]); name != "" {
			r.Accept = append(r.Accept, parseMediaType(name))
			return
		}
	}
	var ranges []mediaRange
	for _, line := range lines {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			if item = strings.ReplaceAll(item, " ", ""); item != "" {
				ranges = append(ranges, parseMediaRange(item))
			}
		}
	}
	slices.SortStableFunc(ranges, mediaRange.compare)
	for _, m := range ranges {
		r.Accept = append(r.Accept, parseMediaType(m.text))
	}
	if len(r.Accept) == 0 {
		r.Accept = append(r.Accept, MediaType{Name: AnyType})
	}
}

// mediaRange is an item of Accept without its quality.
type mediaRange struct {
	text    string
	quality float64
	// specificity is the number of parameters less that of wildcards.
	specificity int
}

func parseMediaRange(item string) mediaRange {
	text, quality, found := strings.Cut(item, ";q=")
	m := mediaRange{text: text, quality: 1, specificity: strings.Count(text, ";") - strings.Count(text, "*")}
	if found {
		quality, _, _ = strings.Cut(quality, ";")
		if q, err := strconv.ParseFloat(quality, 64); err == nil && q >= 0 {
			m.quality = q
		}
	}
	return m
}

// compare puts the better one first.
func (m mediaRange) compare(o mediaRange) int {
	return cmp.Or(cmp.Compare(o.quality, m.quality), cmp.Compare(o.specificity, m.specificity))
}

func (r *Request) setContentType(lines []string) {
	r.ContentType = MediaType{Name: JSON}
	if len(lines) > 0 {
		r.ContentType = parseMediaType(lines[0])
	}
}
