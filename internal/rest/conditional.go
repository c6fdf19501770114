package rest

import (
	"net/http"

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
		Code: "SLIP109", Message: "If-Match needs an answer of one row",
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
			Code: "SLIP109", Message: "If-Match is for one row, and the URL chooses several",
			Hint: "Choose one row by its primary key.",
		}
	case a.rows == 0, put && a.inserted > 0: // deleted between the look whether it is there and the write
		return a.unmatched()
	}
	return nil
}

// unmatched is the answer to an If-Match that does not hold.
func (a *answer) unmatched() error {
	const missing = "There is no such row"
	const changed = "the row was changed since it had that ETag, the ETag is of another select=, or it may not be written"
	e := &apierr.Error{
		Code: "SLIP108", Message: "The row is not as If-Match says", Details: missing + ", or " + changed + ".",
		Hint: "Get the row again, as one object and with the same select=, and send its ETag.",
	}
	switch {
	case a.req.IfMatch.Any, a.total == 0:
		e.Details = missing + "."
	case a.total > 0:
		e.Details = "T" + changed[1:] + "."
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
		return &apierr.Error{
			Code: "SLIP108", Message: "The row is not as If-Match says",
			Details: "It was changed since it had that ETag, or the ETag is of another select=.",
		}
	}
	if none := a.req.IfNoneMatch; none != nil && none.MatchesWeakly(tag) {
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
