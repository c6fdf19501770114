package rest

import (
	"github.com/slipstream-go/slipstream/cache"
)

// Standby is a turn of a streaming standby, to read one answer from it.
type Standby interface {
	// Reader fails where the answer cannot be used, whatever it is.
	Reader
	// Done ends the turn, and tells whether the answer was used.
	Done(used bool)
}

// replayed is the stamp of an answer of a standby: the position in the log that it had replayed before.
type replayed uint64

func (r replayed) Saw(m cache.Mark) bool { return m.LSN <= uint64(r) }

func (r replayed) Horizon() cache.Horizon { return cache.Horizon{LSN: uint64(r)} }

func (replayed) Size() int { return 8 }

// largestFromStandby is the size, in bytes, of the bodies of which none is kept: see httpcache.Options.MaxBody.
const largestFromStandby = 1 << 20

// fillFromStandby is fill by a standby, where one may. It reports whether its answer can be used: it must be one that the
// cache would serve now, so that it is no older than a hit. Whatever goes wrong, the primary is there to answer.
func (a *answer) fillFromStandby(f *cache.Fill, key [][]byte) (used bool) {
	p := a.plan
	if a.options.Standby == nil || a.tx.PreRequest != "" || a.tx.Isolation != "" || p.Fill.Keeping.Limited || p.large.Load() {
		return false
	}
	s := a.options.Standby()
	if s == nil {
		return false
	}
	defer func() { s.Done(used) }()
	unkeyed := p.Fill.Unkeyed != "" && p.unkeyed.has(a.tx.Role)
	switch err := a.runFill(s, unkeyed, key); {
	case err != nil:
	case len(a.stamp) > 0: // it has been promoted
	case len(a.body) > largestFromStandby:
		p.large.Store(true) // to have none of them read twice
	default:
		a.depend(f, replayed(a.tx.Replayed()), unkeyed)
		used = f.Current()
	}
	if !used {
		f.Restart()
		a.Restart()
	}
	return used
}
