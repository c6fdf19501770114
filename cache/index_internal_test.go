package cache

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
)

type seen uint32

func (s seen) Saw(m Mark) bool { return m.Xid <= uint32(s) }

type kilobyte struct{}

func (kilobyte) Size() int { return 1024 }

// Whatever makes entries leave - changes, evictions, purges, newer entries of their keys, all at once - the indexes know
// exactly those that are stored, and in the end none.
func TestIndexesKnowWhatIsStored(t *testing.T) {
	c := New(Options{Budget: 256 << 10}) // some 100 entries
	c.Open()
	var wg sync.WaitGroup
	for actor := range 4 {
		rng := rand.New(rand.NewPCG(uint64(actor), 0))
		wg.Go(func() {
			for xid := range uint32(10_000) {
				id := strconv.Itoa(rng.IntN(300))
				switch k := KeyOf(id); rng.IntN(20) {
				case 0:
					c.Apply(Change{Mark: Mark{Xid: xid}, Table: Table(rng.IntN(3)), After: Row{DatumOf(id)}})
				case 1:
					c.Purge(k)
				case 2:
					if e, found := c.entries.GetIfPresent(k); found {
						e.Resize(rng.IntN(2048))
					}
				default:
					if f, first := c.Fill(k); first {
						f.Depend(seen(xid), Table(rng.IntN(3)).Where(1, id, "x"), Table(rng.IntN(3)).Where(2, id))
						f.Limit(1 << 60) // so that it is filled anew
						f.End(kilobyte{})
					}
				}
				if xid%1000 == 0 {
					h := c.Heartbeat()
					h.Visible(seen(xid))
					h.Returned()
				}
			}
		})
	}
	wg.Wait()
	c.entries.CleanUp()

	linked := map[*Entry]bool{}
	for _, t := range c.allTables() {
		for _, g := range t.groups {
			for _, r := range g.lists {
				for ; r != nil; r = r.next {
					linked[r.dependency.entry] = true
				}
			}
		}
	}
	stored := 0
	for _, e := range c.entries.All() {
		stored++
		if !linked[e] || e.dead.Load() {
			t.Error("an entry is stored that no index knows, or that is dead")
		}
	}
	if len(linked) != stored || stored == 0 {
		t.Errorf("%d entries in indexes, %d stored", len(linked), stored)
	}
	c.Flush()
	for _, table := range c.allTables() {
		if n := len(table.groups); n != 0 {
			t.Errorf("table %d has %d groups left", table.id, n)
		}
	}
}
