package rest

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// planned is a plan with the parts of the answer that are the same whenever it runs.
type planned struct {
	*plan.Read
	write       *plan.Write // nil for reads and calls
	writes      bool        // runs in a transaction that may write
	contentType string
	warning     string
	route       string // for telemetry
	pace        pg.Pace
	group       string      // of writes that may share a transaction
	unkeyed     roles       // who may not read the columns of keys
	large       atomic.Bool // an answer was larger than those that are kept
	primaryOnly atomic.Bool // no standby can run it
}

// roles are names of roles.
type roles struct{ names sync.Map }

func (r *roles) has(name string) bool {
	_, ok := r.names.Load(name)
	return ok
}

func (r *roles) add(name string) { r.names.Store(name, nil) }

// cost is about how many bytes the plan takes in the cache, with its key.
func (p *planned) cost(key []byte) int {
	const fixed = 1 << 10
	return fixed + 2*len(key) + len(p.SQL) + len(p.EstimateSQL) + len(p.CostSQL) + 64*(len(p.Args)+len(p.EstimateArgs)) + p.fillCost()
}

func (p *planned) fillCost() int {
	if p.Fill == nil {
		return 0
	}
	return len(p.Fill.SQL) + len(p.Fill.Unkeyed) + len(p.Fill.LimitedSQL) + 64*len(p.Fill.LimitedArgs) + 64*(len(p.Fill.Args)+len(p.Fill.UnkeyedArgs)) + 256*len(p.Fill.Levels)
}

// planCache holds plans made for one catalog snapshot; a newer snapshot empties it. It keeps two generations: when the
// young one is full it becomes the old one, and what nobody asks for until the next turn is forgotten. Reading takes no
// exclusive lock.
type planCache struct {
	most       int // bytes of one generation
	mu         sync.RWMutex
	snapshot   *schema.Snapshot
	young, old map[string]*planned
	bytes      int // of young
}

func newPlanCache(bytes int) *planCache { return &planCache{most: bytes / 2} }

func (c *planCache) get(s *schema.Snapshot, key []byte) *planned {
	c.mu.RLock()
	if c.snapshot != s {
		c.mu.RUnlock()
		return nil
	}
	p, young := c.young[string(key)]
	if !young {
		p = c.old[string(key)]
	}
	c.mu.RUnlock()
	if !young && p != nil {
		c.put(s, key, p)
	}
	return p
}

// put keeps a plan, unless a newer snapshot has come meanwhile.
func (c *planCache) put(s *schema.Snapshot, key []byte, p *planned) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snapshot != s {
		if c.snapshot != nil && c.snapshot.Generation > s.Generation {
			return
		}
		c.snapshot, c.young, c.old, c.bytes = s, map[string]*planned{}, nil, 0
	}
	if _, known := c.young[string(key)]; known {
		return // two requests made it at the same time
	}
	if c.bytes += p.cost(key); c.bytes > c.most {
		c.old, c.young, c.bytes = c.young, map[string]*planned{}, p.cost(key)
	}
	c.young[string(key)] = p
}

var keyPool = sync.Pool{New: func() any { return new([]byte) }}

// plan finds or makes the plan of the request's shape.
func (x *exchange) plan() (*planned, error) {
	buf := keyPool.Get().(*[]byte)
	defer keyPool.Put(buf)
	key := appendKey((*buf)[:0], x.req)
	*buf = key
	if p := x.plans.get(x.catalog.Schema, key); p != nil {
		return p, nil
	}
	p := new(planned)
	var err error
	if x.req.Target == request.Relation && x.req.Writes() {
		if p.write, err = plan.NewWrite(x.catalog.Schema, x.req, x.options.Plan); err == nil {
			p.Read, p.writes = &p.write.Read, true
		}
	} else {
		p.Read, err = plan.New(x.catalog.Schema, x.req, x.options.Plan)
	}
	if err != nil {
		return nil, err
	}
	p.contentType, p.warning, p.route = p.Media.ContentType(), deprecation(p.Renames), strings.Clone(x.req.Name)
	if p.write != nil && x.options.GroupInserts && len(x.catalog.Schema.Representations) == 0 {
		p.group = groupOf(x.req, p.write)
	}
	if f := p.Function; f != nil {
		p.route = "rpc/" + p.route
		p.writes = x.req.Method == "POST" && f.Volatility == schema.Volatile
	}
	x.plans.put(x.catalog.Schema, key, p)
	return p, nil
}

// appendKey encodes everything of a request that its plan depends on. Parts of variable length carry their length, so
// that no two requests of different shape have the same key.
func appendKey(dst []byte, r *request.Request) []byte {
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	var flags byte
	for i, on := range [...]bool{
		r.Window.Limit != request.NoLimit,
		r.Window.Offset > 0,
		r.Prefer.Pagination != "",
		r.IfMatch != nil && r.Writes(), // a read compares tags with its answer
		r.IfMatch != nil && r.Writes() && r.IfMatch.Any,
		r.IfNoneMatch != nil && r.Writes(),
		r.IfNoneMatch != nil && r.Writes() && r.IfNoneMatch.Any,
	} {
		if on {
			flags |= 1 << i
		}
	}
	dst = append(dst, byte(r.Target), flags)
	text(r.Method)
	text(r.Schema)
	text(r.Name)
	text(r.Prefer.Count)
	dst = binary.AppendUvarint(dst, uint64(len(r.Accept)))
	for i := range r.Accept {
		text(r.Accept[i].String())
	}
	if r.Writes() {
		text(r.Prefer.Return)
		text(r.Prefer.Resolution)
		text(r.Prefer.Missing)
		text(r.ContentType.Name)
		dst = r.Payload.AppendShape(dst)
	}
	return r.Query.AppendShape(dst)
}
