package replicas

import (
	"sync"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// writers remembers who has written, and up to where in the log that was. When it is full, what was written longest ago is
// remembered for everybody instead: nobody is forgotten.
type writers struct {
	mu         sync.Mutex
	young, old map[uint64]Need
	youngest   Need // of all in young
	oldest     Need // of all in old
	everybody  Need
}

// mostWriters is how many there can be in young, and in old; about 3 MB in each.
const mostWriters = 1 << 15

func (w *writers) wrote(who uint64, need Need) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.young) >= mostWriters {
		w.everybody = w.everybody.And(w.oldest)
		w.old, w.oldest = w.young, w.youngest
		w.young, w.youngest = nil, Need{}
	}
	if w.young == nil {
		w.young = map[uint64]Need{}
	}
	w.young[who] = w.young[who].And(need)
	w.youngest = w.youngest.And(need)
}

// need is what somebody must see.
func (w *writers) need(who uint64) Need {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.everybody.And(w.old[who]).And(w.young[who])
}

// forget is for when the positions mean nothing any more. Some may be of what they mean now: so everybody needs something else
// instead.
func (w *writers) forget(everybody Need) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.young, w.old, w.youngest, w.oldest, w.everybody = nil, nil, Need{}, Need{}, everybody
}

// Wrote notes a commit of somebody, who is told by a hash, at a position of the primary; the zero value where that is not
// known. Of a history that no look at the primary has shown yet, the position alone would say nothing.
func (s *Set) Wrote(who uint64, at pg.Position) {
	need := Need{LSN: at.LSN}
	if !s.primary.is(historyOf(at)) {
		need.After = s.options.Clock()
	}
	s.writers.wrote(who, need)
}

// Own is what somebody must see to see what he has written himself.
func (s *Set) Own(who uint64) Need { return s.writers.need(who) }

// Primary is the last known position of the primary, or the zero value.
func (s *Set) Primary() pg.Position {
	position, _ := s.primary.present()
	return position
}
