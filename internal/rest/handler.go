package rest

import (
	"crypto/sha256"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// Options configure a Handler; they are read only after New.
type Options struct {
	Request request.Settings
	Plan    plan.Options
	// ExtraSearchPath follows the request's schema in search_path (db-extra-search-path).
	ExtraSearchPath []string
	// PreRequest is the function called before every statement (db-pre-request), or the zero Name.
	PreRequest schema.Name
	// PreRequestReads is what it looks at, or nil where that is not known: then nothing is kept.
	PreRequestReads *PreRequestReads
	// AppSettings are app.settings.* of the configuration.
	AppSettings []pg.Setting
	// RoleDefaults are settings that a role has unless its own say otherwise.
	RoleDefaults []pg.Setting
	OpenAPI      OpenAPIOptions
	// TxOverride lets clients choose with Prefer: tx= (db-tx-end=*-allow-override).
	TxOverride bool
	// TxRollback rolls writes back unless a client that may overrides it (db-tx-end=rollback*).
	TxRollback bool
	// IgnoreIdempotencyKeys ignores the header Idempotency-Key (idempotency-keys=off).
	IgnoreIdempotencyKeys bool
	// MaxBody is the size of the largest body that is taken, in bytes; default 64 MiB.
	MaxBody int64
	// ServerTiming adds the Server-Timing header.
	ServerTiming bool
	// Verbosity of errors (client-error-verbosity).
	Verbosity apierr.Verbosity
	// CursorSecret authenticates the cursors of keyset pages; without one, cursors are refused.
	CursorSecret []byte
	// GroupInserts lets single rows that queue up for the same table share a transaction.
	GroupInserts bool
	// BatchOperations is how many operations a batch may have; 0 switches batches off.
	BatchOperations int
	// StreamBuffer is how much of a streamed answer is held back to give it exact headers, in bytes; default 1 MiB.
	StreamBuffer int
	// StreamStall is how long a client may take to accept 64 KiB of a stream; default 1 min. A stream holds a connection of
	// the pool, which a client that stopped reading must not keep from the others.
	StreamStall time.Duration
	// Buffers bounds what bodies, and answers over 64 KiB, take together; nil does not.
	Buffers *limit.Buffers
	// Published reports whether the changes of a table, given by its OID, are told to the cache. Without it nothing is kept.
	Published func(table uint32) bool
	// Standby gives a standby whose turn it is to read an answer that is to be kept, or nil. Without it, all are read from the
	// primary.
	Standby func() Standby
	// Replica gives what a GET or HEAD of which nothing is kept is read on instead of the primary, or nil where it must be that
	// one. Without it, all are read from the primary.
	Replica func(*http.Request) Replica
	// ReplicaLevel is the level of overload (limit.Limiter) of what Replica gives. Without it, only the primary's counts.
	ReplicaLevel func() int
	// Outdated, if not nil, is called when a definition turns out to be newer than the catalog that requests are planned by, with
	// its SchemaChanges.Since.
	Outdated func(since int64)
	// Wrote, if not nil, is called after a commit and before its answer with the tables that may have been written; without
	// any, all may have been.
	Wrote func(tables ...uint32)
	// Priority says how important a request is, and the hash of the tenant whose it is, or 0. Without it all are limit.Default.
	Priority func(*http.Request, *auth.Caller) (limit.Priority, uint64)
	// Timeout is how long a request may take; 0 is no bound. See exchange.within.
	Timeout time.Duration
	// Degradation says what is off under overload.
	Degradation Degradation
	// Level, if not nil, is a level of overload besides that of the database: 0 for none; at 1 requests of the tier Background are
	// refused, at 2 Sheddable, at 3 Default.
	Level func() int
	// AdmitBatch, if not nil, is asked before the operations of a batch are done; its error is the answer.
	AdmitBatch func(w http.ResponseWriter, whole *http.Request, operations []*http.Request) error
	// PlanCache bounds the memory of the plan cache, in bytes; default 16 MiB, some 8000 plans.
	PlanCache int
	Logger    *slog.Logger
}

// Catalog is what is known of the database at one moment.
type Catalog struct {
	Schema *schema.Snapshot
	Roles  map[string]pg.RoleSettings
	// Idempotency is true where what Idempotency-Key needs is installed.
	Idempotency bool
	// Changes of the schema that it has seen.
	Changes SchemaChanges
	// Digest is a hash of Schema, Roles and the settings that sessions begin with: requests are answered alike wherever it is
	// the same. Zero where answers are not shared.
	Digest [sha256.Size]byte
}

// SchemaChanges are the transactions with ids from Since on that changed the schema. A statement that sees another Count
// of them may see other policies than the catalog tells of: its answer must not be kept.
type SchemaChanges struct{ Since, Count int64 }

// Handler serves the data API.
type Handler struct {
	options      Options
	db           *pg.DB
	catalog      func() *Catalog
	plans        *planCache
	descriptions descriptionCache
	streams      chan struct{}     // as many as may hold a connection of the pool at a time: half of it
	crowded      atomic.Bool       // one has waited for a place of streams in vain, and none got free since
	customizes   atomic.Bool       // a function has made use of response.headers or response.status
	warned       atomic.Bool       // that Idempotency-Key is ignored
	preRequest   string            // quoted
	searchPaths  map[string]string // by schema
}

// New returns a handler on db. catalog gives the current catalog, or nil while none has been loaded.
func New(o Options, db *pg.DB, catalog func() *Catalog) *Handler {
	if o.StreamBuffer == 0 {
		o.StreamBuffer = 1 << 20
	}
	if o.StreamStall == 0 {
		o.StreamStall = time.Minute
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.PlanCache == 0 {
		o.PlanCache = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{options: o, db: db, catalog: catalog, plans: newPlanCache(o.PlanCache), searchPaths: map[string]string{}}
	h.streams = make(chan struct{}, max(1, db.Stats().Max/2))
	if o.PreRequest != (schema.Name{}) {
		h.preRequest = plan.QuoteName(o.PreRequest)
	}
	for _, s := range o.Request.Schemas {
		h.searchPaths[s] = searchPath(s, o.ExtraSearchPath)
	}
	return h
}

// ServeHTTP answers one request of the caller in its context.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

// serve returns an error only as long as nothing of the answer was written and no header of it set.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	h.noteRetry(r)
	if isBatch(r) {
		return h.batch(w, r)
	}
	return h.serveOn(h.db, false, w, r)
}

// serveOn is serve with statements run on db. With held, nothing of an answer is written before all of it is known.
func (h *Handler) serveOn(db runner, held bool, w http.ResponseWriter, r *http.Request) error {
	info := telemetry.RequestFrom(r.Context())
	if h.options.ServerTiming {
		info.StartTiming()
	}
	catalog := h.catalog()
	if catalog == nil {
		return ErrNoCatalog()
	}
	caller := auth.CallerFrom(r.Context())
	if caller == nil {
		return errNoCaller
	}
	ask := h.ask(r, caller, classOf(r))
	if db == runner(h.db) { // else the batch was let in as a whole
		var err error
		if ask, err = h.admit(ask); err != nil {
			return err
		}
	}
	req, err := request.Parse(r.Method, r.URL, r.Header, h.options.Request)
	if err != nil {
		return err
	}
	x := &exchange{
		Handler: h, db: db, held: held, w: w, r: r, req: req, info: info, catalog: catalog, caller: caller, ask: ask,
	}
	if err := x.degrade(); err != nil {
		return err
	}
	defer x.sentRoom.Release()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if req.Target == request.Root {
			return x.root()
		}
		return x.run()
	case http.MethodOptions:
		return x.describe()
	}
	return x.run()
}

// exchange is one request and its answer. What every request needs is in here, to be one allocation.
type exchange struct {
	*Handler
	db      runner
	held    bool
	w       http.ResponseWriter
	r       *http.Request
	req     *request.Request
	info    *telemetry.Request
	catalog *Catalog
	caller  *auth.Caller
	ask     limit.Ask

	degraded bool       // something was taken from the request, for want of time
	arrays   bool       // the payload is bound as arrays
	sentRoom limit.Held // of the body
	sent     []byte     // the body, as it was sent, where the request is to be done once
	tx       pg.Tx
	settings [8]pg.Setting // room for those of tx
	fields   fields
}
