package slipstream

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/rest"
)

// caching keeps the cache true to the database: it gives it the changes of the feed, and closes it while the feed, the
// schema or the catalog that requests are planned by are not certain.
type caching struct {
	cache  *cache.Cache
	feed   *feed.Feed
	log    *slog.Logger
	reload func() // asks for the catalog to be read again

	published  atomic.Pointer[map[uint32]feed.Table]
	generation atomic.Uint64 // of configurations

	mu       sync.Mutex
	beats    map[uint64]*cache.Heartbeat // under way, by ticket
	ticket   uint64
	live     bool
	changing bool   // the schema has changed, and not all transactions can see it
	stale    bool   // the catalog is older than the last change of the schema
	changes  uint64 // of the schema
	used     uint64 // look-ups until the last heartbeat
	idle     int    // heartbeats since anybody has used the cache
	problem  string // why there is no feed
}

// awaitOwn is how long a write waits for its changes to come back before it is answered. After that, answers that could be
// older are held back.
const awaitOwn = 30 * time.Millisecond

// idleBeats is how many heartbeats are sent after the last use of the cache.
const idleBeats = 40

// newCaching makes the cache of a configuration, or nil when that is off.
func newCaching(cfg Config, log *slog.Logger, reload func()) *caching {
	if cfg.CacheMode == "off" {
		return nil
	}
	k := &caching{log: log, reload: reload, beats: map[uint64]*cache.Heartbeat{}, problem: "not started"}
	k.cache = cache.New(cache.Options{Budget: cfg.cacheBudget(), Staleness: cfg.CacheStaleness})
	k.feed = feed.New(feed.Options{DSN: cfg.feedDSN(), Clock: cache.SystemClock(), Logger: log, Active: k.active}, feed.Handlers{
		Committed: k.committed, SchemaChanged: k.schemaChanged, Published: k.publish, RolesChanged: k.rolesChanged,
		Sending: k.sending, Beat: k.beat, Applied: k.cache.Applied, State: k.state,
	})
	return k
}

func (c Config) feedDSN() string {
	if c.CacheDBURI != "" {
		return c.CacheDBURI
	}
	return c.DBURI
}

// cacheBudget is a quarter of the memory that the process may take, unless the configuration says otherwise.
func (c Config) cacheBudget() uint64 {
	const unlimited, least = 1 << 40, 16 << 20
	if c.CacheMemory > 0 {
		return uint64(c.CacheMemory)
	}
	limit := debug.SetMemoryLimit(-1)
	if limit > unlimited {
		return cache.DefaultBudget * 4
	}
	return uint64(max(limit/4, least))
}

// before puts the cache before the data API. Each configuration has keys of its own. What is remembered of the shapes of
// requests, about 150 bytes of each, is a small part of the budget.
func (k *caching) before(data *rest.Handler, cfg Config) http.Handler {
	const fewest, most, bytesPerShape = 1 << 10, 1 << 16, 1 << 10
	return httpcache.New(httpcache.Options{
		Cache: k.cache, Source: cachedSource{data}, Silent: cfg.SilentCache, Generation: k.generation.Add(1),
		Shapes: int(min(max(cfg.cacheBudget()/bytesPerShape, fewest), most)),
	})
}

// cachedSource gives the shapes of the data API the type that package httpcache wants.
type cachedSource struct{ *rest.Handler }

func (s cachedSource) Shape(r *http.Request) httpcache.Shape { return s.Handler.Shape(r) }

// Published reports whether the changes of a table arrive.
func (k *caching) Published(table uint32) bool {
	tables := k.published.Load()
	if tables == nil {
		return false
	}
	_, ok := (*tables)[table]
	return ok
}

// run follows the database until ctx ends, as soon as that is possible.
func (k *caching) run(ctx context.Context, cfg Config) {
	const look = 30 * time.Second
	told := ""
	for {
		problems, err := feed.Preflight(ctx, cfg.feedDSN())
		if err == nil && len(problems) == 0 {
			k.setProblem("")
			_ = k.feed.Run(ctx) // it ends with ctx only
			return
		}
		reason := describeProblems(problems, err)
		k.setProblem(reason)
		if reason != told && ctx.Err() == nil {
			level := slog.LevelInfo
			if cfg.CacheMode == "wal" {
				level = slog.LevelWarn
			}
			k.log.Log(ctx, level, "nothing is cached", "reason", reason)
			told = reason
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

func describeProblems(problems []feed.Problem, err error) string {
	if err != nil {
		return "the database cannot be asked: " + strings.Join(strings.Fields(pg.HideDSN(err).Error()), " ")
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Error()
	}
	return strings.Join(texts, "; ")
}

func (k *caching) setProblem(reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problem = reason
}

// active lets heartbeats rest while nobody uses the cache.
func (k *caching) active() bool {
	s := k.cache.Stats()
	used := s.Hits
	for _, n := range s.Misses {
		used += n
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if used != k.used {
		k.used, k.idle = used, 0
	}
	k.idle++
	return k.idle <= idleBeats
}

// committed applies a transaction to the cache.
func (k *caching) committed(tx *feed.Transaction) {
	changes := make([]cache.Change, len(tx.Changes))
	for i := range tx.Changes {
		c := &tx.Changes[i]
		changes[i] = cache.Change{
			Mark: cache.Mark{Xid: tx.Xid, LSN: tx.EndLSN}, Table: cache.Table(c.Relation),
			Whole: c.Kind == feed.Truncate || c.Kind == feed.Many,
		}
		if !changes[i].Whole {
			changes[i].Before, changes[i].After = rowOf(c.Old), rowOf(c.New)
		}
	}
	k.cache.Apply(changes...)
}

func rowOf(values []feed.Value) cache.Row {
	if values == nil {
		return nil
	}
	row := make(cache.Row, len(values))
	for i := range values {
		switch values[i].State {
		case feed.Null:
			row[i] = cache.Datum{State: cache.Null}
		case feed.Known:
			row[i] = cache.DatumOf(string(values[i].Text))
		}
	}
	return row
}

// stamp makes a pg.Snapshot a cache.Stamp.
type stamp struct{ pg.Snapshot }

func (s stamp) Saw(m cache.Mark) bool { return s.Snapshot.Saw(m.Xid) }

// sending notes a heartbeat before it is sent.
func (k *caching) sending() uint64 {
	h := k.cache.Heartbeat()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ticket++
	k.beats[k.ticket] = h
	return k.ticket
}

// beat renews the lease by a heartbeat that has come back.
func (k *caching) beat(b feed.Beat) {
	k.mu.Lock()
	h := k.beats[b.Ticket]
	delete(k.beats, b.Ticket)
	k.mu.Unlock()
	if h != nil {
		h.Visible(stamp{b.Snapshot})
		h.Returned()
	}
}

// state follows the feed: while it is not live, nothing is served.
func (k *caching) state(s feed.State, reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live = s == feed.Live
	switch s {
	case feed.Live:
		// Changes of the schema from before are not told, and the catalog may be older than they are.
		k.stale = true
		k.changes++
		k.problem = "the schema is being read"
		k.reload()
	case feed.Starting:
		k.problem = reason
	default:
		if reason == "" {
			reason = "the feed of changes has ended"
		}
		clear(k.beats)
		k.published.Store(nil)
		k.problem = reason
		k.cache.Reset(reason)
	}
}

// schemaChanged empties the cache. It stays closed until every transaction sees the change, which Published shows, and the
// catalog was read again.
func (k *caching) schemaChanged(uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changing, k.stale = true, true
	k.changes++
	k.published.Store(nil)
	k.cache.Close("the schema has changed")
}

// publish takes the tables whose changes arrive. Fills under way are not kept: what they have read of a table that is new
// here may lack a change that came too early to arrive.
func (k *caching) publish(tables map[uint32]feed.Table) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published.Store(&tables)
	k.cache.Flush()
	if k.changing {
		k.changing = false
		k.changes++ // a catalog that was read before may be of before
		k.reload()
	}
	k.open()
}

// rolesChanged empties the cache: what roles may do, their settings and the server's are part of what every answer depends on.
func (k *caching) rolesChanged() {
	k.cache.Flush()
	k.reload()
}

// reading is called before the catalog is read; what it returns goes to read.
func (k *caching) reading() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changes
}

// read says that requests are planned by a catalog now that was read since reading.
func (k *caching) read(changes uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cache.Flush()
	if changes == k.changes {
		k.stale = false
	}
	k.open()
}

// open is for those who hold mu.
func (k *caching) open() {
	if k.live && !k.changing && !k.stale {
		k.problem = ""
		k.cache.Open()
	}
}

// wrote makes sure that who reads after a commit of ours was answered does not get what was there before.
func (k *caching) wrote(ctx context.Context, position uint64) {
	if position == 0 {
		k.cache.Flush()
		return
	}
	waiting, cancel := context.WithTimeout(ctx, awaitOwn)
	defer cancel()
	if !k.cache.Await(waiting, position) {
		k.cache.Fence(position)
	}
}

// CacheStatus says what the cache does.
type CacheStatus struct {
	// Mode is off, wal (exact, by the write-ahead log), or none, while Reason holds.
	Mode string `json:"mode"`
	// Reason why nothing is cached, with the remedy; empty if something is.
	Reason string `json:"reason,omitempty"`
	// Tables is how many tables' changes are known.
	Tables int `json:"tables"`
	// Entries and Bytes are what is kept.
	Entries int    `json:"entries"`
	Bytes   uint64 `json:"bytes"`
	// Hits and Misses count look-ups since the start; misses by reason.
	Hits   uint64            `json:"hits"`
	Misses map[string]uint64 `json:"misses"`
	// Stored counts answers that were kept, Rejected those that were not, by reason.
	Stored   uint64            `json:"stored"`
	Rejected map[string]uint64 `json:"rejected"`
	// Invalidated counts answers that changes have made wrong, Evicted those that made room.
	Invalidated uint64 `json:"invalidated"`
	Evicted     uint64 `json:"evicted"`
	// LagMilliseconds is how long ago the present state was certain; -1 if it is not.
	LagMilliseconds int64 `json:"lagMilliseconds"`
}

// CacheStatus says what the cache does now.
func (s *Server) CacheStatus() CacheStatus {
	k := s.caching
	if k == nil {
		return CacheStatus{Mode: "off", Reason: "cache-mode is off", LagMilliseconds: -1}
	}
	st := k.cache.Stats()
	out := CacheStatus{
		Mode: "wal", Entries: st.Entries, Bytes: st.Bytes, Hits: st.Hits, Misses: map[string]uint64{}, Stored: st.Stored,
		Rejected: map[string]uint64{}, Invalidated: st.Invalidated, Evicted: st.Evicted, LagMilliseconds: -1,
	}
	if st.Lease >= 0 {
		out.LagMilliseconds = st.Lease.Milliseconds()
	}
	for m, n := range st.Misses {
		out.Misses[m.String()] = n
	}
	for r, n := range st.Rejected {
		out.Rejected[r.String()] = n
	}
	if tables := k.published.Load(); tables != nil {
		out.Tables = len(*tables)
	}
	status := k.cache.Status()
	k.mu.Lock()
	defer k.mu.Unlock()
	if status.Mode != cache.Open {
		out.Mode = "none"
		reasons := slices.DeleteFunc([]string{k.problem, status.Reason}, func(r string) bool { return r == "" })
		if len(reasons) > 0 {
			out.Reason = reasons[0]
		}
	}
	return out
}
