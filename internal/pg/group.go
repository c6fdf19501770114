package pg

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/slipstream-go/slipstream/limit"
)

// Small writes that wait for a connection can be done in one transaction: they share its round trips and its flush to
// disk. Each has its own settings, which replace all of those before it, its own rows and its own decision. If one of
// them fails, or does not want to commit, nothing has happened: all of them are done again, each in a transaction of its
// own, and have their own outcome.

// mostGrouped is how many writes share a transaction, the first of them included.
const mostGrouped = 64

// member is a write that may be one of a group.
type member struct {
	sink   Sink
	decide Decide
	waiter *limit.Waiter // of one that another write does

	// Of one that another write has done.
	again again
	err   error
}

// mayGroup tells whether a write may be one of several.
func mayGroup(tx *Tx, statements []Statement) bool {
	if len(statements) != 1 || statements[0].Group == "" || tx.PreRequest != "" || tx.begin() != "" || tx.Guard != nil {
		return false
	}
	return small(tx, &statements[0])
}

// joins tells whether f can follow lead in its transaction: it has to set all that lead sets, or would be done under
// settings of lead's.
func (f *fellow) joins(lead fellow) bool {
	tx := f.tx
	return f.statements[0].Group == lead.statements[0].Group && tx.Deadline.IsZero() == lead.tx.Deadline.IsZero() &&
		sameNames(tx.RoleSettings, lead.tx.RoleSettings) && sameNames(tx.Settings, lead.tx.Settings)
}

func sameNames(a, b []Setting) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name {
			return false
		}
	}
	return true
}

// gather finds the writes that wait for a connection and may be done together with lead, which comes first.
func (t *trip) gather(lead fellow) []fellow {
	var room [mostGrouped - 1]*limit.Waiter
	taken := t.along.Board(room[:0], false, func(rider any) bool {
		f := rider.(*fellow)
		return f.write != nil && f.joins(lead)
	})
	if len(taken) == 0 {
		return nil
	}
	group := make([]fellow, 0, 1+len(taken))
	group = append(group, lead)
	for _, w := range taken {
		f := *w.Rider().(*fellow)
		f.write.waiter = w
		group = append(group, f)
	}
	return group
}

// together does the writes in one transaction, or has all of them begin anew.
func (t *trip) together(ctx context.Context, group []fellow, grace time.Duration) (why again, err error) {
	why = alone // unless it comes to a commit
	defer func() {
		for _, f := range group {
			f.tx.outcome = t.outcome
			f.write.again, f.write.err = why, err
			if why != never && !f.write.sink.Restart() {
				f.write.again = never
			}
		}
		why = group[0].write.again
		for _, f := range group[1:] {
			f.write.waiter.Pass(served)
		}
	}()
	t.hold, t.members = true, group
	t.watch(ctx)
	err = t.runGroup(group)
	if cancelled := t.unwatch(); err != nil || cancelled {
		if t.loss != nil {
			why = lost
		}
		return why, cmp.Or(err, ctx.Err())
	}
	for _, f := range group {
		if commit, err := f.write.decide(); err != nil || !commit {
			return alone, errNotTogether
		}
	}
	err = t.conclude(nil, func() (bool, error) { return true, nil }, grace)
	var refused *Error
	if !errors.As(err, &refused) {
		why = never
	}
	return why, err
}

var errNotTogether = errors.New("not all writes of a group can be committed")

// runGroup makes one round trip for all of them.
func (t *trip) runGroup(group []fellow) error {
	return t.pipeline(func() {
		t.steps, t.at, t.bound, t.status, t.tooLarge = t.steps[:0], 0, 0, 0, nil
		t.send(internal, statementKey{sql: "begin"}, nil, nil)
		for i, f := range group {
			t.member, t.settings.afresh = i, i > 0
			t.settings.of(f.tx)
			t.sendText(t.settings.sql, "", "", t.settings.args)
			s := &f.statements[0]
			t.send(0, statementKey{s.SQL, f.tx.Role, f.tx.SearchPath}, s.Args, s.Formats)
		}
		t.settings.afresh = false
		t.queueXid()
		t.encode(&pgproto3.Sync{})
	})
}
