package rest

import (
	"net/http"
	"slices"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// tagged reports whether the answer is one row, which has an ETag.
func (p *planned) tagged() bool {
	return p.Function == nil && p.Format == plan.Body && p.Media.Name == request.Object
}

// checkConditions refuses a read that compares tags with an answer that has none. If-None-Match is ignored there: it
// asks for less work, not for another result.
func (p *planned) checkConditions(r *request.Request) error {
	if r.IfMatch == nil || r.IfMatch.Any || p.write != nil || p.tagged() {
		return nil
	}
	return &apierr.Error{
		Code: "SLIP115", Message: "If-Match needs an answer of one row",
		Hint: "Send Accept: application/vnd.pgrst.object+json; lists have no ETag.",
	}
}

// checkWritten refuses a write of a relation whose If-Match or If-None-Match did not hold (RFC 9110, section 13.1). The
// statement itself has written no row then, or what it has written is rolled back.
func (a *answer) checkWritten() error {
	match, put := a.req.IfMatch, a.req.Method == http.MethodPut
	switch {
	case match == nil && a.req.IfNoneMatch == nil:
	case put && a.inserted == noTotal: // the payload is another row, which is said in its place
	case match == nil && a.rows == 0:
		return &apierr.Error{Code: "SLIP108", Message: "The row exists already", Hint: "Send If-Match with its ETag to replace it."}
	case match == nil:
	case a.total > 1:
		return &apierr.Error{
			Code: "SLIP115", Message: "If-Match is for one row, and the URL chooses several",
			Hint: "Choose one row by its primary key.",
		}
	case a.rows == 0, put && a.inserted > 0: // deleted between the look whether it is there and the write
		return a.unmatched()
	}
	return nil
}

// unmatched is the answer to an If-Match that does not hold. Whether there is a row at all is not known of a PUT.
func (a *answer) unmatched() error {
	const other = "another state of the row or of another select=."
	e := &apierr.Error{
		Code: "SLIP108", Message: "The row is not as If-Match says",
		Hint: "Get the row again, as one object and with the same select=, and send its ETag.",
	}
	put := a.req.Method == http.MethodPut
	switch {
	case a.req.IfMatch.Any, a.plan.write != nil && a.total == 0:
		e.Details = "There is no such row."
	case !slices.ContainsFunc(a.req.IfMatch.List, func(t request.EntityTag) bool { return !t.Weak }):
		e.Details = "Weak tags never match. What compresses answers on their way may have put the W/ there."
	case a.plan.write == nil:
		e.Details = "The ETag is that of " + other
	case put:
		e.Details = "There is no such row, or the ETag is that of " + other
	default:
		e.Details = "The row may not be written, or the ETag is that of " + other
	}
	return e
}

// tag gives the answer with one row its ETag, or the one that a function set.
func (a *answer) tag(h *head) request.EntityTag {
	for _, field := range h.custom {
		if field[0] == "Etag" {
			tag, _ := request.ParseEntityTag(field[1])
			return tag
		}
	}
	tag := plan.ETag(a.body)
	h.etag = `"` + tag.Opaque + `"`
	return tag
}

// revalidate decides a conditional read (RFC 9110, section 13.2.2). An answer that is none of success is given as it is.
func (a *answer) revalidate(h *head) error {
	if !a.plan.tagged() || h.status != http.StatusOK && h.status != http.StatusPartialContent {
		return nil
	}
	tag := a.tag(h)
	if match := a.req.IfMatch; match != nil && !match.MatchesStrongly(tag) {
		return a.unmatched()
	}
	if none := a.req.IfNoneMatch; none != nil && !a.filling && none.MatchesWeakly(tag) {
		h.status, h.contentRange = http.StatusNotModified, ""
	}
	return nil
}

// tagWritten tags the row that a write shows, unless it is gone again: deleted or rolled back.
func (a *answer) tagWritten(h *head) {
	if a.plan.tagged() && a.represented() && a.req.Method != http.MethodDelete && a.commits() &&
		(h.status == http.StatusOK || h.status == http.StatusCreated) {
		a.tag(h)
	}
}
