package cache

// Horizon bounds what a state of the source had seen, in words that mean the same to all caches that follow the source:
// all transactions whose ids, of 64 bits, are below Xid, and all whose commits end at or before LSN. Of a snapshot it is
// pg_snapshot_xmin, as its greatest id says nothing of those below; of a standby it is the replay position. Zero fields
// bound nothing. As a Stamp it has seen that and no more.
type Horizon struct{ Xid, LSN uint64 }

// Bounded is a Stamp that has a Horizon. Only what was filled with such stamps can be shared: see Tier.
type Bounded interface {
	Stamp
	Horizon() Horizon
}

// Saw implements Stamp.
func (h Horizon) Saw(m Mark) bool { return h.covers(Horizon{near(m.Xid, h.Xid), m.LSN}) }

// Horizon implements Bounded.
func (h Horizon) Horizon() Horizon { return h }

// Size is the bytes it takes.
func (h Horizon) Size() int { return 16 }

// covers reports whether a state of h had seen all transactions of which none is later than latest.
func (h Horizon) covers(latest Horizon) bool {
	return h.Xid > latest.Xid || h.LSN != 0 && h.LSN >= latest.LSN
}

func (h Horizon) max(o Horizon) Horizon { return Horizon{max(h.Xid, o.Xid), max(h.LSN, o.LSN)} }

// near is the id of 64 bits that is nearest to another among those of which xid is the lower half.
func near(xid uint32, other uint64) uint64 {
	return other + uint64(int64(int32(xid-uint32(other))))
}
