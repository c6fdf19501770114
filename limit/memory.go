package limit

import (
	"context"
	"log/slog"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// MemoryLevel is how short of memory the process is.
type MemoryLevel int32

// The levels, with the part of the limit that is used from there on.
const (
	MemoryFine     MemoryLevel = iota
	MemoryTight                // 0.92: what can be given back is
	MemoryShort                // 0.95: work of low priority is to be refused
	MemoryCritical             // 0.97: all but the most important work is to be refused
)

// memoryLevels are where the levels begin, as parts of the limit (Envoy's overload manager has the first two).
var memoryLevels = [...]float64{MemoryTight: 0.92, MemoryShort: 0.95, MemoryCritical: 0.97}

// memoryEase is how far the used part must sink below where a level began for the level to end.
const memoryEase = 0.02

// String is the level's name in metrics and logs.
func (l MemoryLevel) String() string {
	return [...]string{"fine", "tight", "short", "critical"}[l]
}

// MemoryOptions are the settings of NewMemory. Zero fields are the defaults.
type MemoryOptions struct {
	// Root is where /proc and /sys are; default "/".
	Root string
	// Every is how often the use is read; default 100 ms.
	Every time.Duration
	// Relieve is called while the level is not MemoryFine, at most once a second, to give back what can be spared.
	Relieve func()
	// Free gives memory that is not in use back to the system; default debug.FreeOSMemory. It collects garbage, which takes
	// processors from the work: it is called at most once in FreeEvery, by default 10 s.
	Free      func()
	FreeEvery time.Duration
	// Log is told of changes of the level; nil is nobody.
	Log *slog.Logger
}

// Memory watches the memory of this process: what its cgroup takes of what that may take, or where no cgroup has a limit,
// what is alive on the Go heap, with all that the runtime needs besides, of GOMEMLIMIT. Without either there is nothing to
// watch, and the level is always MemoryFine.
type Memory struct {
	options MemoryOptions
	used    func() (int64, error)
	limit   func() (int64, error)
	level   atomic.Int32
	ratio   atomic.Uint64 // bits of a float64
}

// NewMemory finds out what bounds the memory; it starts nothing.
func NewMemory(o MemoryOptions) *Memory {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Every <= 0 {
		o.Every = 100 * time.Millisecond
	}
	if o.Relieve == nil {
		o.Relieve = func() {}
	}
	if o.Free == nil {
		o.Free = debug.FreeOSMemory
	}
	if o.FreeEvery <= 0 {
		o.FreeEvery = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Memory{options: o, used: runtimeUsed(), limit: runtimeLimit}
	if c, err := FindCgroup(o.Root); err == nil {
		m.used, m.limit = c.Used, c.Limit
	}
	return m
}

// Limit is how much memory the process may take, in bytes; 0 when nothing bounds it.
func (m *Memory) Limit() int64 {
	n, err := m.limit()
	if err != nil {
		return 0
	}
	return n
}

// Level is one atomic load. On a nil *Memory it is MemoryFine.
func (m *Memory) Level() MemoryLevel {
	if m == nil {
		return MemoryFine
	}
	return MemoryLevel(m.level.Load())
}

// Ratio is the used part of the limit when it was read last; 0 without a limit.
func (m *Memory) Ratio() float64 { return math.Float64frombits(m.ratio.Load()) }

// Run watches until ctx is done. The level is MemoryFine afterwards.
func (m *Memory) Run(ctx context.Context) {
	tick := time.NewTicker(m.options.Every)
	defer tick.Stop()
	defer m.level.Store(int32(MemoryFine))
	var relieved, freed time.Time
	for {
		if m.look() != MemoryFine {
			now := time.Now()
			if now.Sub(relieved) >= time.Second {
				relieved = now
				m.options.Relieve()
			}
			if now.Sub(freed) >= m.options.FreeEvery {
				m.options.Free()
				freed = time.Now()
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look reads the use once. What cannot be read is no reason to refuse anything.
func (m *Memory) look() MemoryLevel {
	var ratio float64
	used, err := m.used()
	if limit := m.Limit(); err == nil && limit > 0 {
		ratio = float64(used) / float64(limit)
	}
	m.ratio.Store(math.Float64bits(ratio))
	before := m.Level()
	now := before.after(ratio)
	if now != before {
		m.level.Store(int32(now))
		m.options.Log.Warn("memory", "level", now.String(), "was", before.String(), "bytes", used, "limit", m.Limit())
	}
	return now
}

// after is the level that follows l when ratio of the limit is used.
func (l MemoryLevel) after(ratio float64) MemoryLevel {
	for next := MemoryCritical; next > MemoryFine; next-- {
		begins := memoryLevels[next]
		if next <= l {
			begins -= memoryEase
		}
		if ratio >= begins {
			return next
		}
	}
	return MemoryFine
}

// runtimeLimit is GOMEMLIMIT.
func runtimeLimit() (int64, error) {
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		return n, nil
	}
	return 0, errNoCgroup
}

// runtimeUsed is what cannot be collected: garbage fills the heap up to GOMEMLIMIT by design, and is no sign of need. What
// has been allocated since the last collection counts as garbage, but near the limit one follows the other.
func runtimeUsed() func() (int64, error) {
	const total, released, live = "/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/gc/heap/live:bytes"
	const objects, unused, free = "/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes"
	samples := []metrics.Sample{{Name: total}, {Name: live}, {Name: released}, {Name: objects}, {Name: unused}, {Name: free}}
	return func() (int64, error) {
		metrics.Read(samples)
		used := int64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
		for _, s := range samples[2:] {
			used -= int64(s.Value.Uint64())
		}
		return used, nil
	}
}
