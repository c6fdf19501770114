package feed

import "slices"

const (
	// mostChanges is how many changes of a table in one transaction are told apart.
	mostChanges = 1000
	// mostBytes bounds what is kept of one transaction, in bytes.
	mostBytes = 16 << 20
)

// assembly is a transaction being put together.
type assembly struct {
	Transaction
	// counts of changes by table; -1 when they have collapsed.
	counts map[uint32]int
	bytes  int
	// lost is set when no changes are told apart any more.
	lost bool
	// heartbeat is the content of a heartbeat's message; empty without one.
	heartbeat     string
	schemaChanged bool
}

func newAssembly(xid uint32) *assembly {
	return &assembly{Transaction: Transaction{Xid: xid}, counts: map[uint32]int{}}
}

func (a *assembly) collapsed(table uint32) bool { return a.counts[table] < 0 }

// add keeps a change that the message of size bytes brought.
func (a *assembly) add(c Change, size int) {
	const perValue, perChange = 32, 64 // bytes in memory
	switch n := a.counts[c.Relation]; {
	case n < 0:
		return
	case n == mostChanges || a.lost:
		a.collapse(c.Relation)
		return
	}
	a.counts[c.Relation]++
	a.Changes = append(a.Changes, c)
	a.bytes += size + perChange + perValue*(len(c.Old)+len(c.New))
	if a.bytes > mostBytes {
		a.collapseAll()
	}
}

// collapse puts one change in the place of all of the table's.
func (a *assembly) collapse(table uint32) {
	switch n := a.counts[table]; {
	case n < 0:
		return
	case n > 0:
		a.Changes = slices.DeleteFunc(a.Changes, func(c Change) bool { return c.Relation == table })
	}
	a.counts[table] = -1
	a.Changes = append(a.Changes, Change{Relation: table, Kind: Many})
}

// collapseAll does so with all tables, also those that come later.
func (a *assembly) collapseAll() {
	a.lost = true
	a.Changes = nil
	for table := range a.counts {
		a.counts[table] = -1
		a.Changes = append(a.Changes, Change{Relation: table, Kind: Many})
	}
}
