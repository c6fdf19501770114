package rest

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// run answers a read or write of a relation, or a function call.
func (x *exchange) run() error {
	var err error
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		skipBody(x.r)
		err = x.readCursor()
	default:
		err = x.readBody()
	}
	if err != nil {
		return err
	}
	x.info.MarkTiming(telemetry.PhaseParse)
	if err = x.perform(); x.againAsJSON(err) {
		x.req.Payload.Columnar = false
		err = x.perform()
	}
	return err
}

// perform plans the request and does it.
func (x *exchange) perform() error {
	p, err := x.plan()
	if err != nil {
		return err
	}
	if err := p.CheckAffected(&x.req.Prefer); err != nil {
		return err
	}
	if err := p.checkConditions(x.req); err != nil {
		return err
	}
	key, err := x.cursorKey(p)
	if err != nil {
		return err
	}
	x.arrays = p.write != nil && p.write.Arrays
	x.info.SetRoute(p.route)
	x.info.SetRole(x.caller.Role)
	x.info.MarkTiming(telemetry.PhasePlan)
	if err := x.refuseStream(p); err != nil {
		return err
	}
	defer x.within(p)()
	x.begin(p)

	a := answerPool.Get().(*answer)
	defer a.release()
	a.exchange, a.plan = x, p
	a.args = p.Bind(a.args, x.req, x.options.Plan, key)
	if p.CostSQL != "" {
		if err := a.checkCost(); err != nil {
			return x.explainKeyset(p, err)
		}
	}
	switch {
	case p.writes:
		return a.transact()
	case p.streams():
		return a.stream()
	}
	if f := cache.FillFrom(x.r.Context()); f != nil && p.Fill != nil && p.Fill.Because == "" && !x.degraded {
		err = a.fill(f, key)
	} else {
		err = a.readPlain()
	}
	if err != nil {
		return err
	}
	x.info.MarkTiming(telemetry.PhaseTransaction)
	return a.respond()
}

// readPlain runs the statement as it is planned.
func (a *answer) readPlain() error {
	p := a.plan
	a.filling = false
	a.statements = append(a.statements[:0], pg.Statement{SQL: p.SQL, Args: a.args, Formats: p.formats(), Pace: &p.pace})
	a.addEstimate()
	if err := a.readAnywhere(a.statements, a); err != nil {
		return a.explainKeyset(p, err)
	}
	return nil
}

// bodyFormats asks for the body in binary: for text and JSON that is the text itself, and a handler that gives bytea
// is not made to spell them out.
var (
	bodyFormats   = []int16{plan.ColumnBody: 1, plan.ColumnStatus: 0}
	keysetFormats = []int16{plan.ColumnBody: 1, plan.ColumnKeyset: 0}
)

func (p *planned) formats() []int16 {
	switch {
	case p.Keyset != nil:
		return keysetFormats
	case p.Format == plan.Body && p.write != nil:
		return writeFormats
	case p.Format == plan.Body:
		return bodyFormats
	}
	return nil
}

// answer collects what the database gives and makes it the HTTP answer. It is pooled for its buffers.
type answer struct {
	*exchange
	plan       *planned
	statements []pg.Statement
	args       [][]byte

	body     []byte
	room     limit.Held // of the body
	rows     int64      // in the page
	total    int64      // of the whole result, noTotal when not asked for
	headers  []byte
	status   []byte
	keyset   []byte
	location []byte
	inserted int64 // by an upsert, noTotal when that is not known
	planned  int64 // the planner's estimate, noTotal when not asked for

	filling bool // the statement is that of a plan.Fill
	stamp   []byte
	keys    []byte
	changes int64       // of the schema
	before  pg.Snapshot // of the call of the pre-request function
}

const noTotal = -1

// largestPooled is the body buffer that is worth keeping, in bytes; a larger one would pin memory for rare answers.
const largestPooled = 256 << 10

var answerPool = sync.Pool{New: func() any { return &answer{total: noTotal, planned: noTotal} }}

func (a *answer) release() {
	a.room.Release()
	body := a.body[:0]
	if cap(body) > largestPooled {
		body = nil
	}
	clear(a.statements)
	clear(a.args)
	*a = answer{
		statements: a.statements[:0], args: a.args[:0],
		body: body, headers: a.headers[:0], status: a.status[:0], keyset: a.keyset[:0], location: a.location[:0],
		stamp: a.stamp[:0], keys: a.keys[:0],
		total: noTotal, planned: noTotal,
	}
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
		a.readEstimate(values[0])
		return nil
	case a.plan.Format == plan.Explained:
		a.body = append(append(a.body, values[0]...), '\n')
		return nil
	case a.plan.write != nil:
		if err := a.makeRoom(len(values[plan.WrittenBody])); err != nil {
			return err
		}
		a.takeWritten(values)
		return nil
	}
	if err := a.makeRoom(len(values[plan.ColumnBody])); err != nil {
		return err
	}
	a.total = parseCount(values[plan.ColumnTotal])
	a.rows = parseCount(values[plan.ColumnRows])
	a.body = append(a.body[:0], values[plan.ColumnBody]...)
	a.takeCustom(values[plan.ColumnHeaders], values[plan.ColumnStatus])
	if a.plan.Keyset != nil {
		a.keyset = append(a.keyset[:0], values[plan.ColumnKeyset]...)
	}
	if a.filling {
		a.stamp, a.keys = append(a.stamp[:0], values[plan.ColumnStamp]...), append(a.keys[:0], values[plan.ColumnKeys]...)
		a.changes = parseCount(values[plan.ColumnChanges])
	}
	return nil
}

// Restart implements pg.Sink.
func (a *answer) Restart() bool {
	a.body, a.headers, a.status, a.keyset = a.body[:0], a.headers[:0], a.status[:0], a.keyset[:0]
	a.location = a.location[:0]
	a.rows, a.total, a.planned = 0, noTotal, noTotal
	return true
}

func parseCount(text []byte) int64 {
	if len(text) == 0 { // NULL; without this, the usual case would pay for an error
		return noTotal
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return noTotal
	}
	return n
}

// readEstimate takes the planner's number of rows.
func (a *answer) readEstimate(explain []byte) {
	if rows := estimated(explain, "Plan Rows"); rows != nil {
		a.planned = parseCount(rows)
	}
}
