package slipstream

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// caching keeps the cache true to the database: it gives it the changes of the feed, and closes it while the feed, the
// schema or the catalog that requests are planned by are not certain.
type caching struct {
	cache  *cache.Cache
	feed   *feed.Feed
	log    *slog.Logger
	reload func() // asks for the catalog to be read again

	primary  *pg.DB
	standbys standbys
	follows  bool // changes, as soon as that is possible
	renewals *renewals
	limits   atomic.Bool // some answers are kept for a time

	published  atomic.Pointer[map[uint32]feed.Table]
	purging    *purging      // nil where no cache on the way is told of changes
	generation atomic.Uint64 // of configurations
	clock      func() time.Duration
	patient    atomic.Int64 // the clock's reading from which writes wait again

	tier     *redis.Tier // nil without a Redis
	program  [sha256.Size]byte
	followed atomic.Pointer[followed]

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

	outdatedAt    time.Time // when a definition was last found to be newer than the catalog
	outdatedSince int64
	renewing      bool   // roles have changed, and the catalog and the sessions may be older
	term          uint64 // of followed
	timeline      uint32 // of the primary, once it has changed
}

// awaitOwn is how long a write waits for its changes to come back before it is answered, and a read for those that its token
// tells of. After that, answers that could be older are held back.
const awaitOwn = 30 * time.Millisecond

// stopAwaiting is for how long nobody waits after one has waited in vain: where commits are asynchronous, changes come
// a fifth of a second later.
const stopAwaiting = time.Second

// idleBeats is how many heartbeats are sent after the last use of the cache.
const idleBeats = 40

// newCaching makes the cache of a configuration, or nil when that is off. client is the Redis through which it is shared, or
// nil.
func newCaching(cfg Config, log *slog.Logger, client *redis.Client, reload func()) (*caching, error) {
	if cfg.CacheMode == "off" {
		return nil, nil
	}
	k := &caching{
		log: log, reload: reload, purging: cfg.newPurging(log), renewals: newRenewals(cfg, log), follows: cfg.CacheMode != "ttl",
		beats: map[uint64]*cache.Heartbeat{}, problem: "not started", clock: cache.SystemClock(),
	}
	o := cache.Options{Budget: cfg.cacheBudget(), Staleness: cfg.CacheStaleness}
	if client != nil {
		if err := k.share(cfg, client); err != nil {
			return nil, err
		}
		o.Tier, o.Follows = k.tier, func(t cache.Table) bool { return k.Published(uint32(t)) }
	}
	k.cache = cache.New(o)
	k.feed = feed.New(feed.Options{
		DSN: cfg.feedDSN(), Modes: feed.Modes(cfg.CacheMode), Clock: k.clock, Logger: log, Active: k.active,
		Sharing: cfg.sharing(client), Meet: func(system uint64, timeline uint32) error { return k.primary.Meet(system, timeline) },
	}, feed.Handlers{
		Committed: k.committed, SchemaChanged: k.schemaChanged, Published: k.publish, RolesChanged: k.rolesChanged,
		Sending: k.sending, Beat: k.beat, Applied: k.cache.Applied, State: k.state,
	})
	k.standbys = standbys{cache: k.cache, feed: k.feed, clock: k.clock, staleness: cfg.CacheStaleness, log: log}
	return k, nil
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
func (k *caching) before(data *rest.Handler, cfg Config, metrics *telemetry.Metrics) *httpcache.Handler {
	const fewest, most, bytesPerShape = 1 << 10, 1 << 16, 1 << 10
	k.limits.Store(cfg.cachesForTTL())
	return httpcache.New(httpcache.Options{
		Cache: k.cache, Source: cachedSource{data}, Silent: cfg.SilentCache, Generation: k.generation.Add(1), Metrics: metrics,
		Shapes: int(min(max(cfg.cacheBudget()/bytesPerShape, fewest), most)),
		Tags:   cfg.tagFields(), Token: k.token(cfg.consistencyKey()), Namespace: k.namespace(cfg),
		Limited: cfg.cachesForTTL(), Background: k.renewals.start,
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
	var renewals sync.WaitGroup
	defer renewals.Wait()
	renewals.Go(func() { k.renewals.run(ctx) })
	if !k.follows {
		k.setProblem("cache-mode is ttl: nothing tells what changes; for exact answers of all other relations set it to auto, and run `slipstream cache install`")
		return
	}
	const look = 10 * time.Second
	told := ""
	for {
		possible, reason := preflight(ctx, cfg)
		if possible {
			k.setProblem("")
			_ = k.feed.Run(ctx) // it ends with ctx only
			return
		}
		k.setProblem(reason)
		if reason != told && ctx.Err() == nil {
			level := slog.LevelInfo
			if cfg.CacheMode != "auto" {
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

func (k *caching) setProblem(reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problem = reason
}

// active lets heartbeats rest while nobody uses the cache.
func (k *caching) active() bool {
	used := lookups(k.cache.Stats())
	k.mu.Lock()
	defer k.mu.Unlock()
	if used != k.used {
		k.used, k.idle = used, 0
	}
	k.idle++
	return k.idle <= idleBeats
}

// resting reports whether heartbeats rest, as nobody has used the cache: then what was certain last says nothing of how far the feed
// is behind.
func (k *caching) resting(s cache.Stats) bool {
	used := lookups(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	return used == k.used && k.idle > idleBeats
}

func lookups(s cache.Stats) uint64 {
	n := s.Hits
	for _, missed := range s.Misses {
		n += missed
	}
	return n
}

// watched reports whether the feed is live and the cache is used.
func (k *caching) watched() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.live && k.idle <= idleBeats
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
	for i := range tx.Changes {
		k.purging.changed(tx.Changes[i].Relation)
	}
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
	k.seen(b)
	k.mu.Unlock()
	if h != nil {
		h.Committed(cache.Horizon{Xid: b.Xid, LSN: b.EndLSN})
		h.Visible(stamp{b.Snapshot})
		h.Returned()
	}
	k.standbys.beat(b.Ticket)
}

// state follows the feed: while it is not live, nothing is served.
func (k *caching) state(s feed.State, reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s == feed.Live && !k.followsPrimary() {
		k.feed.Restart()
		return
	}
	k.live = s == feed.Live
	k.standbys.hold(k.ticket)
	switch s {
	case feed.Live:
		if hint := k.feed.Status().Mode.Hint(); hint != "" {
			k.log.Info("the cache could do better", "hint", hint)
		}
		// The catalog is older than the feed, which does not tell what was changed before it.
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
		k.followed.Store(nil)
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
	k.standbys.hold(k.ticket)
	k.followed.Store(nil)
	k.cache.CloseStoring("the schema has changed")
}

// publish takes the tables whose changes arrive. Fills under way are not kept: what they have read of a table that is new
// here may lack a change that came too early to arrive.
func (k *caching) publish(tables map[uint32]feed.Table) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.published.Store(&tables)
	k.flush()
	if k.changing {
		k.changing = false
		k.changes++ // a catalog that was read before may be of before
		k.reload()
	}
	k.open()
}

// rolesChanged empties the cache: what roles may do, their settings and the server's are part of what every answer depends on.
func (k *caching) rolesChanged() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renewing = true
	k.changes++
	k.followed.Store(nil)
	k.flush()
	k.reload()
}

// flush empties the cache because of what changes do not tell. It is for those who hold mu.
func (k *caching) flush() {
	k.standbys.hold(k.ticket)
	k.cache.Flush()
}

// reading is called before the catalog is read; what it returns goes to read. Requests are planned by the new catalog a
// moment before read: none of them may get rows from a standby that is older than it.
func (k *caching) reading() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.standbys.hold(forever)
	return k.changes
}

// notRead says that nothing came of reading.
func (k *caching) notRead() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.standbys.passable(k.ticket)
}

// read says that requests are planned by a catalog now that was read since reading.
func (k *caching) read(changes uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flush()
	k.standbys.passable(k.ticket)
	if changes == k.changes {
		k.stale, k.renewing = false, false
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
		k.mu.Lock()
		defer k.mu.Unlock()
		k.flush()
		return
	}
	if !k.await(ctx, position) {
		k.cache.Fence(position)
	}
}

// await waits for a moment until all changes up to a position have come back, and reports whether they have.
func (k *caching) await(ctx context.Context, position uint64) bool {
	k.feed.Prompt()
	now, patience := int64(k.clock()), awaitOwn
	if now <= k.patient.Load() {
		patience = 0
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if k.cache.Await(waiting, position) {
		return true
	}
	if patience > 0 && ctx.Err() == nil {
		k.patient.Store(now + int64(stopAwaiting))
	}
	return false
}
