package pg

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Snapshot says which transactions a statement could see: the value of pg_current_snapshot()
// (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT). The zero value saw nothing.
type Snapshot struct {
	// Xmin is the lowest transaction that was still running: all before it are over.
	Xmin uint64
	// Xmax follows the highest transaction that was over: all from it on were not, whether they had begun or not.
	Xmax uint64
	// running are those in between that were not over, ascending.
	running []uint64
}

// ParseSnapshot reads a snapshot's text, xmin:xmax:xip,xip,...
func ParseSnapshot(text string) (Snapshot, error) {
	wrong := func(what string) (Snapshot, error) { return Snapshot{}, fmt.Errorf("snapshot %q: %s", text, what) }
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return wrong("not of the form xmin:xmax:xip")
	}
	var s Snapshot
	var err error
	if s.Xmin, err = parseXid(parts[0]); err != nil {
		return wrong(err.Error())
	}
	if s.Xmax, err = parseXid(parts[1]); err != nil {
		return wrong(err.Error())
	}
	if s.Xmin == 0 || s.Xmax < s.Xmin {
		return wrong("xmin must be positive and not after xmax")
	}
	if parts[2] == "" {
		return s, nil
	}
	last := s.Xmin - 1
	for item := range strings.SplitSeq(parts[2], ",") {
		xid, err := parseXid(item)
		if err != nil {
			return wrong(err.Error())
		}
		if xid <= last || xid >= s.Xmax {
			return wrong("running transactions must ascend from xmin to below xmax")
		}
		s.running = append(s.running, xid)
		last = xid
	}
	return s, nil
}

// parseXid reads an xid8: digits only, where strconv takes a sign, too.
func parseXid(text string) (uint64, error) {
	xid, err := strconv.ParseUint(text, 10, 64)
	if err != nil || text[0] == '+' {
		return 0, fmt.Errorf("%q is not a transaction id", text)
	}
	return xid, nil
}

// firstNormalXid is the first transaction id that a transaction can have: 0 is none, 1 and 2 are in every snapshot.
const firstNormalXid = 3

// Saw reports whether the effects of a transaction were visible, if it was committed at all. The log names
// transactions by the lower 32 bits; xid is taken for the one of that name that is nearest to Xmax, which no more than
// 2^31 transactions can be away from. It must be a top-level one: pg_current_snapshot() does not list running
// subtransactions.
func (s Snapshot) Saw(xid uint32) bool {
	if xid < firstNormalXid {
		return xid != 0
	}
	full := int64(s.Full(xid))
	switch {
	case full < firstNormalXid || full >= int64(s.Xmax):
		return false
	case full < int64(s.Xmin):
		return true
	}
	_, running := slices.BinarySearch(s.running, uint64(full))
	return !running
}

// Full is the transaction id that a log names by its lower 32 bits, nearest to Xmax as Saw takes it.
func (s Snapshot) Full(xid uint32) uint64 {
	return s.Xmax + uint64(int64(int32(xid-uint32(s.Xmax))))
}
