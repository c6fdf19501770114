package rest

import (
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// groupOf names the group of an insert that may be done in one transaction with others like it, or is empty. Functions
// that it would call could leave settings for those behind it, which are other callers'.
func groupOf(r *request.Request, w *plan.Write) string {
	if r.Method != "POST" || !w.Relation.Plain || r.Prefer.Resolution != "" || len(r.Query.Select.Embeds) > 0 {
		return ""
	}
	for _, f := range r.Query.Select.Fields {
		if _, stored := w.Relation.Column(f.Name); f.Name != "*" && !stored || f.Cast != "" || f.Aggregate != request.NoAggregate {
			return ""
		}
	}
	return w.Relation.Name.Schema + "." + w.Relation.Name.Name
}

// group is the statement's group, if this request can be one of it: it inserts a single row and leaves the end of its
// transaction to us.
func (a *answer) group() string {
	if a.plan.group == "" || a.held || a.req.Payload.Rows != 1 || a.req.Prefer.Tx != "" || a.options.TxRollback {
		return ""
	}
	// What an earlier one of the group might have left.
	a.tx.Settings = append(a.tx.Settings, pg.Setting{Name: "response.headers"}, pg.Setting{Name: "response.status"})
	return a.plan.group
}
