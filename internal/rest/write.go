package rest

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// readBody reads and checks the body.
func (x *exchange) readBody() error {
	body, err := x.body(x.w, x.r, &x.sentRoom)
	if err != nil {
		return err
	}
	if x.keyed() {
		x.sent = body
	}
	if x.req.Payload, err = x.req.ReadPayload(body); err == nil && x.held && x.req.Payload != nil {
		x.req.Payload.Columnar = false // an error would end the batch's transaction: there is no second try
	}
	return err
}

// againAsJSON reports whether a write has failed that had its payload bound as arrays, because of what it would write. All
// values of a document are looked at before its first row is written, and of several reasons to refuse a write, clients are to
// hear first what they hear of a document.
func (x *exchange) againAsJSON(err error) bool {
	var refused *pg.Error
	return x.arrays && errors.As(err, &refused) && slices.ContainsFunc(refusals[:], func(class string) bool {
		return strings.HasPrefix(refused.Code, class)
	})
}

// refusals are the classes of errors by which values, constraints, rights and policies, checks of views, and triggers refuse
// a write.
var refusals = [...]string{"22", "23", "42", "44", "P0"}

var writeFormats = []int16{plan.WrittenBody: 1, plan.WrittenInserted: 0}

// takeWritten takes the one row of a Body result of a write.
func (a *answer) takeWritten(values [][]byte) {
	a.total = parseCount(values[plan.WrittenTotal])
	a.rows = parseCount(values[plan.WrittenRows])
	a.location = append(a.location[:0], values[plan.WrittenLocation]...)
	a.body = append(a.body[:0], values[plan.WrittenBody]...)
	a.takeCustom(values[plan.WrittenHeaders], values[plan.WrittenStatus])
	a.inserted = parseCount(values[plan.WrittenInserted])
}

// writtenSQL is gucSQL for writes, with the number of rows that an upsert has inserted.
const writtenSQL = gucSQL + ", nullif(current_setting('slipstream.inserted', true), '')"

// transact runs a write or a call that may write, and answers once its fate is decided. Whatever can still refuse the
// answer is looked at before COMMIT, so that a refused write leaves nothing behind.
func (a *answer) transact() error {
	a.tx.ReadWrite = true
	once, err := a.once()
	if err != nil {
		return err
	}
	var h head
	decide := func() (bool, error) {
		h = head{} // it may be asked again
		if err := a.judge(&h); err != nil || !a.commits() {
			return false, err
		}
		once.keep(a, &h)
		return true, nil
	}
	var sink pg.Sink = a
	main := pg.Statement{SQL: a.plan.SQL, Args: a.args, Formats: a.plan.formats(), Group: a.group(), Pace: &a.plan.pace}
	if a.plan.Format == plan.CSVRows || a.plan.Format == plan.NDJSONRows {
		// Nothing may be sent before the commit: the rows are collected.
		sink = &streamer{answer: a, held: true}
		a.statements = append(a.statements, pg.Statement{SQL: gucSQL}, main, pg.Statement{SQL: writtenSQL})
	} else {
		a.statements = append(a.statements, main)
	}
	err = a.db.Write(a.r.Context(), &a.tx, a.statements, sink, decide)
	a.wrote(err)
	if err != nil {
		return once.failed(a, err)
	}
	a.info.MarkTiming(telemetry.PhaseTransaction)
	if a.plan.Format == plan.Explained {
		a.fields.set(a.w.Header(), "Content-Type", a.plan.contentType)
		a.finish(http.StatusOK)
		return nil
	}
	a.setHead(a.w.Header(), &h)
	a.finish(h.status)
	return nil
}

// commits decides the end of the transaction (db-tx-end and Prefer: tx).
func (x *exchange) commits() bool {
	if x.options.TxOverride && x.req.Prefer.Tx != "" {
		return x.req.Prefer.Tx == "commit"
	}
	return !x.options.TxRollback
}

// judge looks at the result of a write or call and makes up the head of its answer.
func (a *answer) judge(h *head) error {
	if a.plan.Format == plan.Explained {
		return nil
	}
	if err := a.checkWritten(); err != nil {
		return err
	}
	put := a.plan.write != nil && a.req.Method == http.MethodPut
	switch {
	case put && a.rows != 1:
		return plan.NotThatRow()
	case !put && a.plan.Media.Name == request.Object && a.rows != 1:
		return notSingular(a.rows)
	}
	if err := a.checkAffected(); err != nil {
		return err
	}
	if limit := a.req.Window.Limit; a.plan.write != nil && a.affects() && limit != request.NoLimit && a.rows > limit {
		return &apierr.Error{
			Code: "SLIP106", Message: "The limit of " + strconv.FormatInt(limit, 10) + " would write " + strconv.FormatInt(a.rows, 10) + " rows",
			Details: "'" + a.req.Name + "' is a view that shows one key in several rows.",
		}
	}
	if a.plan.write == nil {
		if err := a.setPage(h); err != nil {
			return err
		}
	} else if err := a.setWritten(h); err != nil {
		return err
	}
	if err := a.customize(h); err != nil {
		return err
	}
	a.tagWritten(h)
	return nil
}

// checkAffected holds updates, deletes and calls to max-affected.
func (a *answer) checkAffected() error {
	prefer := &a.req.Prefer
	if prefer.MaxAffected == nil || prefer.Handling != "strict" || a.rows <= *prefer.MaxAffected || !a.affects() {
		return nil
	}
	return &apierr.Error{
		Code: "PGRST124", Message: "Query result exceeds max-affected preference constraint",
		Details: "The query affects " + strconv.FormatInt(a.rows, 10) + " rows",
	}
}

func (a *answer) affects() bool {
	return a.plan.Function != nil || a.req.Method == http.MethodPatch || a.req.Method == http.MethodDelete
}

// represented reports whether the answer to a write shows rows.
func (a *answer) represented() bool { return a.req.Prefer.Return == "representation" }

// setWritten fills in status, Content-Range and Location of a write
// (https://postgrest.org/en/stable/references/api/tables_views.html#insert).
func (a *answer) setWritten(h *head) error {
	total := int64(noTotal)
	if c := a.req.Prefer.Count; c == "exact" || c == "estimated" {
		total = a.rows
	}
	h.status = http.StatusNoContent
	if a.represented() {
		h.status = http.StatusOK
	}
	switch a.req.Method {
	case http.MethodPost:
		h.status = http.StatusCreated
		if a.plan.write.Upsert && a.inserted <= 0 {
			h.status = http.StatusOK
		}
		h.contentRange = contentRange(1, 0, total)
		return a.locate(h)
	case http.MethodPut:
		if a.represented() && a.inserted > 0 {
			h.status = http.StatusCreated
		}
	case http.MethodPatch:
		h.contentRange = contentRange(0, a.rows-1, total)
	case http.MethodDelete:
		h.contentRange = contentRange(1, 0, total)
	}
	return nil
}
