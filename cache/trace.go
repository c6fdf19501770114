package cache

import "sync/atomic"

// What changes have left behind is told by traces, for entries that other caches have filled: when a row with a value in
// a column was changed last. Unlike changes they are never forgotten; they share buckets instead, and a bucket that is too
// late for an entry costs no more than that entry.

// traces are 16 MiB of buckets.
type traces [1 << traceBits]trace

const traceBits = 20

// trace is the latest of all changes that share it.
type trace struct{ xid, lsn atomic.Uint64 }

func (t *trace) load() Horizon { return Horizon{t.xid.Load(), t.lsn.Load()} }

func (t *trace) raise(to Horizon) {
	raiseTo(&t.xid, to.Xid)
	raiseTo(&t.lsn, to.LSN)
}

func raiseTo(v *atomic.Uint64, to uint64) {
	for {
		now := v.Load()
		if now >= to || v.CompareAndSwap(now, to) {
			return
		}
	}
}

func (t *traces) of(id Table, side Side, column Column, value uint64) *trace {
	h := value ^ (uint64(id)<<24|uint64(side)<<16|uint64(uint16(column)))*tupleSeed
	return &t[h*tupleStep>>(64-traceBits)]
}

// traced is a column whose values leave traces: one that some watch looks at by itself.
type traced struct {
	side   Side
	column Column
	// vague is the latest change that may have been of any value: before the column was looked at, or of a row of which
	// the value is Unknown.
	vague Horizon
}

// maxTraced is how many columns of a table are traced; watches of further ones look at all changes of the table.
const maxTraced = 64

// trace returns how a column is traced, from now on at least; nil for too many.
func (t *table) trace(side Side, column Column) *traced {
	for i := range t.traced {
		if c := &t.traced[i]; c.side == side && c.column == column {
			return c
		}
	}
	if len(t.traced) == maxTraced {
		return nil
	}
	t.traced = append(t.traced, traced{side, column, t.latest})
	return &t.traced[len(t.traced)-1]
}

func (s Side) rows() []Side {
	if s == Either {
		return []Side{Before, After}
	}
	return []Side{s}
}

// expect has the changes leave the traces that a watch looks for. The table is locked.
func (t *table) expect(w *Watch) {
	if len(w.Columns) == 1 {
		for _, side := range w.Side.rows() {
			t.trace(side, w.Columns[0])
		}
	}
}

// leave writes down a change. The table is locked. What comes before the first heartbeat's id is known needs no trace,
// since entries are taken over only if they are later than a heartbeat after that.
func (t *table) leave(ch *Change, c *Cache) {
	all, known := c.traces.Load(), c.known.Load()
	if all == nil || known == 0 {
		return
	}
	at := Horizon{near(ch.Mark.Xid, known), ch.Mark.LSN}
	t.latest = t.latest.max(at)
	for i := range t.traced {
		s := &t.traced[i]
		row := ch.After
		if s.side == Before {
			row = ch.Before
		}
		switch d := row.at(s.column); {
		case ch.Whole || row != nil && d.State == Unknown:
			s.vague = s.vague.max(at)
		case row != nil && d.State == Known:
			all.of(t.id, s.side, s.column, hashMore(tupleSeed, d.Text)).raise(at)
		}
	}
}

// spares reports whether no change that has left a trace and that h may not have seen makes wrong what a watch stands for.
// The table is locked.
func (t *table) spares(w *Watch, h Horizon, all *traces) bool {
	t.expect(w)
	if h.covers(t.latest) {
		return true
	}
	if len(w.Columns) != 1 {
		return false
	}
	for _, side := range w.Side.rows() {
		s := t.trace(side, w.Columns[0])
		if s == nil || !h.covers(s.vague) {
			return false
		}
		for _, v := range w.Values {
			if !h.covers(all.of(t.id, side, s.column, v).load()) {
				return false
			}
		}
	}
	return true
}
