package rest

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// read answers GET and HEAD of a relation or function.
func (x *exchange) read() error {
	if err := x.readCursor(); err != nil {
		return err
	}
	x.info.MarkTiming(telemetry.PhaseParse)
	p, err := x.plan()
	if err != nil {
		return err
	}
	if err := p.CheckAffected(&x.req.Prefer); err != nil {
		return err
	}
	cursor, err := x.cursorKey(p)
	if err != nil {
		return err
	}
	x.setRoute(p)
	x.info.SetRole(x.caller.Role)
	x.info.MarkTiming(telemetry.PhasePlan)
	a := answerPool.Get().(*answer)
	defer a.release()
	a.exchange, a.plan = x, p
	switch p.Format {
	case plan.CSVRows, plan.NDJSONRows:
		return x.stream(a)
	}
	main := pg.Statement{SQL: p.SQL, Args: p.Bind(nil, x.req, x.options.Plan, cursor)}
	switch {
	case p.Keyset != nil:
		main.Formats = keysetFormats
	case p.Format == plan.Body:
		main.Formats = bodyFormats
	}
	a.statements = append(a.statements, main)
	a.addEstimate()
	if err := x.db.Read(x.r.Context(), x.tx(p), a.statements, a); err != nil {
		return x.explainKeyset(p, err)
	}
	x.info.MarkTiming(telemetry.PhaseTransaction)
	return a.respond()
}

func (x *exchange) setRoute(p *plan.Read) {
	if p.Function != nil {
		x.info.SetRoute("rpc/" + x.req.Name)
		return
	}
	x.info.SetRoute(x.req.Name)
}

// answer collects what the database gives and makes it the HTTP answer. It is pooled for its buffers.
type answer struct {
	*exchange
	plan       *plan.Read
	statements []pg.Statement

	body    []byte
	rows    int64 // in the page
	total   int64 // of the whole result, noTotal when not asked for
	headers []byte
	status  []byte
	keyset  []byte
	planned int64 // the planner's estimate, noTotal when not asked for
}

const noTotal = -1

// bodyFormats asks for the body in binary: for text and JSON that is the text itself, and a handler that gives bytea
// is not made to spell them out.
var bodyFormats = []int16{plan.ColumnBody: 1, plan.ColumnHeaders: 0, plan.ColumnStatus: 0}

var keysetFormats = []int16{plan.ColumnBody: 1, plan.ColumnKeyset: 0}

// largestPooled is the body buffer that is worth keeping; a larger one would pin memory for rare answers.
const largestPooled = 256 << 10

var answerPool = sync.Pool{New: func() any { return &answer{total: noTotal, planned: noTotal} }}

func (a *answer) release() {
	body := a.body[:0]
	if cap(body) > largestPooled {
		body = nil
	}
	clear(a.statements)
	*a = answer{body: body, headers: a.headers[:0], status: a.status[:0], statements: a.statements[:0], total: noTotal, planned: noTotal}
	answerPool.Put(a)
}

func (a *answer) addEstimate() {
	if a.plan.EstimateSQL != "" {
		a.statements = append(a.statements, pg.Statement{
			SQL: a.plan.EstimateSQL, Args: a.plan.BindEstimate(nil, a.req, a.options.Plan),
		})
	}
}

// Columns implements pg.Sink.
func (a *answer) Columns(int, []string) error { return nil }

// Row implements pg.Sink.
func (a *answer) Row(statement int, values [][]byte) error {
	switch {
	case statement > 0:
		return a.estimated(values[0])
	case a.plan.Format == plan.Explained:
		a.body = append(append(a.body, values[0]...), '\n')
		return nil
	}
	a.total = parseCount(values[plan.ColumnTotal])
	a.rows = parseCount(values[plan.ColumnRows])
	a.body = append(a.body[:0], values[plan.ColumnBody]...)
	a.headers = append(a.headers[:0], values[plan.ColumnHeaders]...)
	a.status = append(a.status[:0], values[plan.ColumnStatus]...)
	if a.plan.Keyset != nil {
		a.keyset = append(a.keyset[:0], values[plan.ColumnKeyset]...)
	}
	return nil
}

func parseCount(text []byte) int64 {
	if text == nil {
		return noTotal
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return noTotal
	}
	return n
}

// respond writes the answer.
func (a *answer) respond() error {
	if a.plan.Format == plan.Explained {
		h := a.w.Header()
		h.Set("Content-Type", a.plan.Media.ContentType())
		return a.finish(http.StatusOK)
	}
	if a.plan.Media.Name == request.Object && a.rows != 1 {
		return notSingular(a.rows)
	}
	status, err := a.setRange()
	if err != nil {
		return err
	}
	a.setCommon()
	if err := a.setLinks(); err != nil {
		return err
	}
	if status, err = a.override(status); err != nil {
		return err
	}
	return a.finish(status)
}

// finish writes status and body. A HEAD and a void function have no body.
func (a *answer) finish(status int) error {
	a.setVary()
	if f := a.plan.Function; f != nil && f.Returns.Void && a.plan.Format != plan.Explained {
		if status == http.StatusOK {
			status = http.StatusNoContent
		}
		h := a.w.Header()
		h.Del("Content-Type")
		h.Del("Content-Profile")
		a.setTiming()
		a.w.WriteHeader(status)
		return nil
	}
	a.setTiming()
	if a.r.Method == http.MethodHead {
		a.w.WriteHeader(status)
		return nil
	}
	a.w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	a.w.WriteHeader(status)
	_, _ = a.w.Write(a.body) // a client that went away is no error of ours
	return nil
}

// setRange gives the status and Content-Range of the page
// (https://postgrest.org/en/stable/references/api/pagination_count.html).
func (a *answer) setRange() (int, error) {
	total := a.counted()
	lower := a.req.Window.Offset
	upper := lower + a.rows - 1
	if a.req.Query.Cursor != "" {
		lower, upper = 0, -1 // where a cursor page stands in the whole is not known
	}
	a.w.Header().Set("Content-Range", contentRange(lower, upper, total))
	switch {
	case total == noTotal:
		return http.StatusOK, nil
	case lower > total:
		a.w.Header().Del("Content-Range")
		return 0, &apierr.Error{
			Code: "PGRST103", Message: "Requested range not satisfiable",
			Details: "An offset of " + strconv.FormatInt(lower, 10) + " was requested, but there are only " +
				strconv.FormatInt(total, 10) + " rows.",
			Header: http.Header{"Content-Range": {contentRange(lower, upper, total)}},
		}
	case a.rows < total:
		return http.StatusPartialContent, nil
	}
	return http.StatusOK, nil
}

// counted is the total that the client asked for. count=estimated is exact up to db-max-rows, and beyond it what the
// planner thinks, if that is more.
func (a *answer) counted() int64 {
	switch a.req.Prefer.Count {
	case "planned":
		return a.planned
	case "estimated":
		if a.total > a.options.Plan.MaxRows {
			return max(a.total, a.planned)
		}
	}
	return a.total
}

func contentRange(lower, upper, total int64) string {
	b := make([]byte, 0, 32)
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

var planRows = []byte(`"Plan Rows":`)

// estimated finds the row estimate in EXPLAIN (FORMAT JSON)'s output: the first one is the top node's.
func (a *answer) estimated(explain []byte) error {
	if a.planned != noTotal {
		return nil
	}
	_, rest, ok := bytes.Cut(explain, planRows)
	if !ok {
		return nil
	}
	rest = bytes.TrimLeft(rest, " ")
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	a.planned = parseCount(rest[:end])
	return nil
}
