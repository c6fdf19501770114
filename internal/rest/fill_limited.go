package rest

import (
	"errors"
	"net/http"
	"slices"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
)

// follows reports whether the cache is told all changes that can make the answer wrong.
func (x *exchange) follows(f *plan.Fill) bool {
	published := x.options.Published
	return f.Unfollowed == "" && !x.moves(f) && published != nil &&
		!slices.ContainsFunc(f.AllTables(), func(t uint32) bool { return !published(t) })
}

// fillLimited runs a read so that its answer can be kept for a time, whatever changes meanwhile.
func (a *answer) fillLimited(f *cache.Fill, key [][]byte) error {
	p := a.plan
	o := a.options.Plan
	o.ChangesSince = a.catalog.Changes.Since
	a.args = p.Fill.BindLimited(a.args[:0], a.req, o, key)
	a.statements = append(a.statements[:0], pg.Statement{SQL: p.Fill.LimitedSQL, Args: a.args, Formats: fillFormats, Pace: &p.pace})
	a.filling = true
	err := a.db.Read(a.r.Context(), &a.tx, a.statements, a)
	switch {
	case denied(err): // perhaps it is the catalog that the caller may not read
		a.Restart()
		a.args = p.Bind(a.args[:0], a.req, a.options.Plan, key)
		return a.readPlain()
	case err != nil:
		return a.explainKeyset(p, err)
	case a.changes != 0:
		if a.options.Outdated != nil {
			a.options.Outdated(a.catalog.Changes.Since)
		}
		return nil // the key may be of other policies than the rows
	}
	f.Limit(p.Fill.Keeping.TTL)
	mayOutlive(f, p.Fill)
	return nil
}

// mayOutlive lets the answer be served until its limit also where it is not certain that nothing has changed.
func mayOutlive(f *cache.Fill, p *plan.Fill) {
	f.Grace(p.Keeping.Revalidate, p.Keeping.IfError)
	tables := make([]cache.Table, len(p.Relations))
	for i, oid := range p.Relations {
		tables[i] = cache.Table(oid)
	}
	f.Tag(tables...)
}

// wrote tells of a write, or of a call that may have written anything, once it may have taken effect. Of an operation of a
// batch that is not yet so: see batchWrote.
func (a *answer) wrote(err error) {
	switch {
	case a.options.Wrote == nil || a.held || !mayHaveCommitted(err):
	case a.plan.write == nil:
		a.options.Wrote()
	default:
		a.options.Wrote(a.plan.write.Relation.Reach.Definitions.Relations...)
	}
}

func mayHaveCommitted(err error) bool {
	var lost *pg.LostError
	return err == nil || errors.As(err, &lost) && lost.CommitUnknown
}

// batchWrote is wrote for the operations of a batch that take effect together. Which tables they have written is not worth
// finding out.
func (h *Handler) batchWrote(requests []*http.Request, err error) {
	if h.options.Wrote != nil && mayHaveCommitted(err) && slices.ContainsFunc(requests, func(r *http.Request) bool {
		return r.Method != http.MethodGet && r.Method != http.MethodHead
	}) {
		h.options.Wrote()
	}
}
