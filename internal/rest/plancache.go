package rest

import (
	"strconv"
	"sync"

	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// planCache holds the plans of the shapes seen last. It keeps two generations: when the young one is full it becomes
// the old one, and what nobody asks for until the next turn is forgotten. Reading takes no exclusive lock.
type planCache struct {
	size       int
	mu         sync.RWMutex
	young, old map[string]*plan.Read
}

func newPlanCache(size int) *planCache {
	return &planCache{size: max(size/2, 1), young: map[string]*plan.Read{}}
}

func (c *planCache) get(key []byte) *plan.Read {
	c.mu.RLock()
	p, ok := c.young[string(key)]
	if !ok {
		p = c.old[string(key)]
	}
	c.mu.RUnlock()
	if !ok && p != nil {
		c.put(key, p)
	}
	return p
}

func (c *planCache) put(key []byte, p *plan.Read) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.size {
		c.old, c.young = c.young, make(map[string]*plan.Read, c.size)
	}
	c.young[string(key)] = p
}

var keyPool = sync.Pool{New: func() any { return new([]byte) }}

// plan finds or makes the plan of the request's shape.
func (x *exchange) plan() (*plan.Read, error) {
	buf := keyPool.Get().(*[]byte)
	defer keyPool.Put(buf)
	key := appendKey((*buf)[:0], x.catalog.Schema, x.req)
	*buf = key
	if p := x.plans.get(key); p != nil {
		return p, nil
	}
	p, err := plan.New(x.catalog.Schema, x.req, x.options.Plan)
	if err != nil {
		return nil, err
	}
	x.plans.put(key, p)
	return p, nil
}

// appendKey encodes everything that a plan depends on. Parts of variable length carry their length, so that no two
// requests of different shape have the same key.
func appendKey(dst []byte, s *schema.Snapshot, r *request.Request) []byte {
	part := func(text string) {
		dst = strconv.AppendInt(dst, int64(len(text)), 10)
		dst = append(dst, ':')
		dst = append(dst, text...)
	}
	flag := func(on bool) {
		if on {
			dst = append(dst, '1')
		} else {
			dst = append(dst, '0')
		}
	}
	dst = strconv.AppendUint(dst, s.Generation, 36)
	dst = append(dst, byte('0'+int(r.Target)))
	flag(r.Method == "HEAD")
	flag(r.Window.Limit != request.NoLimit)
	flag(r.Window.Offset > 0)
	for _, w := range r.Query.Windows {
		flag(w.Limit != request.NoLimit)
		flag(w.Offset > 0)
	}
	part(r.Schema)
	part(r.Name)
	part(r.Prefer.Count)
	flag(r.Prefer.Pagination != "")
	flag(r.Query.CursorBackward)
	for i := range r.Accept {
		part(r.Accept[i].String())
	}
	dst = append(dst, '|')
	return r.Query.AppendShape(dst)
}
