package rest

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// head is what comes before the body. All of it is known before any of it is set: an error on the way must not leave
// headers of an answer that never came.
type head struct {
	status       int
	contentRange string
	location     string
	etag         string
	links        []string    // of Link
	custom       [][2]string // of response.headers
}

// respond writes the answer.
func (a *answer) respond() error {
	if a.plan.Format == plan.Explained {
		a.fields.set(a.w.Header(), "Content-Type", a.plan.contentType)
		a.finish(http.StatusOK)
		return nil
	}
	if a.plan.Media.Name == request.Object && a.rows != 1 {
		return notSingular(a.rows)
	}
	var h head
	err := a.checkAffected()
	if err == nil {
		err = a.setPage(&h)
	}
	if err == nil {
		h.links, err = a.links()
	}
	if err == nil {
		err = a.customize(&h)
	}
	if err == nil {
		err = a.revalidate(&h)
	}
	if err != nil {
		return err
	}
	a.setHead(a.w.Header(), &h)
	a.finish(h.status)
	return nil
}

// hasBody is false for what answers with headers alone: a write that shows no rows, a function that returns nothing.
func (a *answer) hasBody() bool {
	if a.plan.write != nil {
		return a.represented()
	}
	return !a.void()
}

// void is true for the answer of a function that returns nothing.
func (a *answer) void() bool { return a.plan.Function != nil && a.plan.Function.Returns.Void }

// setPage fills in the status and the Content-Range of the page
// (https://postgrest.org/en/stable/references/api/pagination_count.html).
func (a *answer) setPage(h *head) error {
	total := a.counted()
	lower := a.req.Window.Offset
	upper := lower + a.rows - 1
	if a.req.Query.Cursor != "" {
		lower, upper = 0, -1 // where a cursor page stands in the whole is not known
	}
	h.contentRange = contentRange(lower, upper, total)
	switch {
	case lower > total && total != noTotal:
		return &apierr.Error{
			Code: "PGRST103", Message: "Requested range not satisfiable",
			Details: "An offset of " + strconv.FormatInt(lower, 10) + " was requested, but there are only " +
				strconv.FormatInt(total, 10) + " rows.",
			Header: http.Header{"Content-Range": {h.contentRange}},
		}
	case a.rows < total:
		h.status = http.StatusPartialContent
	case a.void():
		h.status = http.StatusNoContent
	default:
		h.status = http.StatusOK
	}
	return nil
}

// counted is the total that the client asked for. count=estimated is exact up to the cap of the page, and beyond it, which is
// everywhere where there is none, what the planner thinks, if that is more.
func (a *answer) counted() int64 {
	switch a.req.Prefer.Count {
	case "planned":
		return a.planned
	case "estimated":
		if limit := a.plan.MaxRows; limit == 0 || a.total > limit {
			return max(a.total, a.planned)
		}
	}
	return a.total
}

func contentRange(lower, upper, total int64) string {
	var room [64]byte
	b := room[:0]
	if total != 0 && lower <= upper {
		b = strconv.AppendInt(b, lower, 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, upper, 10)
	} else {
		b = append(b, '*')
	}
	b = append(b, '/')
	if total == noTotal {
		return string(append(b, '*'))
	}
	return string(strconv.AppendInt(b, total, 10))
}

// finish writes status and body. The answer to HEAD and some statuses have none.
func (a *answer) finish(status int) {
	h := a.w.Header()
	a.setLast(h)
	switch {
	case a.r.Method == http.MethodHead, a.void() && a.plan.Format != plan.Explained:
		a.w.WriteHeader(status)
		return
	case status == http.StatusNoContent, status == http.StatusNotModified: // by response.status
		delete(h, "Content-Type")
		a.w.WriteHeader(status)
		return
	}
	a.fields.set(h, "Content-Length", strconv.Itoa(len(a.body)))
	a.w.WriteHeader(status)
	if len(a.body) > streamChunk {
		a.writeLarge()
		return
	}
	_, _ = a.w.Write(a.body) // a client that went away is no error of ours
}

// writeLarge writes a body that the buffers on the way do not hold. A client that does not take a MiB of it in the time
// of a stall must not keep the rest in memory.
func (a *answer) writeLarge() {
	control := http.NewResponseController(a.w)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // for the connection's next answer
	for piece := range slices.Chunk(a.body, 1<<20) {
		_ = control.SetWriteDeadline(time.Now().Add(a.options.StreamStall))
		if _, err := a.w.Write(piece); err != nil {
			return
		}
	}
}

// setLast sets what the end of the work decides.
func (x *exchange) setLast(h http.Header) {
	if _, ok := h["Vary"]; !ok {
		x.fields.set(h, "Vary", "Accept, Prefer, Range")
	}
	if x.options.ServerTiming && x.info != nil {
		x.info.MarkTiming(telemetry.PhaseResponse)
		x.fields.set(h, "Server-Timing", x.info.Timing.Header())
	}
}
