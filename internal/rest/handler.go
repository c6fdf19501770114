package rest

import (
	"log/slog"
	"net/http"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Options configure a Handler; they are read only after New.
type Options struct {
	Request request.Settings
	Plan    plan.Options
	// ExtraSearchPath follows the request's schema in search_path (db-extra-search-path).
	ExtraSearchPath []string
	// PreRequest is the function called before every statement (db-pre-request), or the zero Name.
	PreRequest schema.Name
	// AppSettings are app.settings.* of the configuration.
	AppSettings []pg.Setting
	// RoleDefaults are settings that a role has unless its own say otherwise.
	RoleDefaults []pg.Setting
	// OpenAPIDisabled answers / with 404 (openapi-mode=disabled).
	OpenAPIDisabled bool
	// TxOverride lets clients choose with Prefer: tx= (db-tx-end=*-allow-override).
	TxOverride bool
	// ServerTiming adds the Server-Timing header.
	ServerTiming bool
	// Verbosity of errors (client-error-verbosity).
	Verbosity apierr.Verbosity
	// CursorSecret authenticates the cursors of keyset pages; without one, cursors are refused.
	CursorSecret []byte
	// StreamBuffer is how much of a streamed answer is held back to give it exact headers, in bytes; default 1 MiB.
	StreamBuffer int
	// Plans bounds the plan cache, default 4096 shapes.
	Plans  int
	Logger *slog.Logger
}

// Catalog is what is known of the database at one moment.
type Catalog struct {
	Schema *schema.Snapshot
	Roles  map[string]pg.RoleSettings
}

// Handler serves the data API.
type Handler struct {
	options    Options
	db         *pg.DB
	catalog    func() *Catalog
	plans      *planCache
	preRequest string
}

// New returns a handler on db. catalog gives the current catalog, or nil while none has been loaded.
func New(o Options, db *pg.DB, catalog func() *Catalog) *Handler {
	if o.StreamBuffer == 0 {
		o.StreamBuffer = 1 << 20
	}
	if o.Plans == 0 {
		o.Plans = 4096
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{options: o, db: db, catalog: catalog, plans: newPlanCache(o.Plans)}
	if o.PreRequest != (schema.Name{}) {
		h.preRequest = plan.QuoteName(o.PreRequest)
	}
	return h
}

// ServeHTTP answers one request of the caller in its context.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

// serve returns an error only as long as nothing of the answer was written.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	info := telemetry.RequestFrom(r.Context())
	info.StartTiming()
	catalog := h.catalog()
	if catalog == nil {
		return ErrNoCatalog()
	}
	req, err := request.Parse(r.Method, r.URL, r.Header, h.options.Request)
	if err != nil {
		return err
	}
	x := &exchange{
		Handler: h, w: w, r: r, req: req, info: info, catalog: catalog,
		caller: auth.CallerFrom(r.Context()),
	}
	if x.caller == nil {
		return errNoCaller
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if req.Target == request.Root {
			return x.root()
		}
		return x.read()
	case http.MethodOptions:
		return x.describe()
	}
	return x.unsupported()
}

// exchange is one request and its answer.
type exchange struct {
	*Handler
	w       http.ResponseWriter
	r       *http.Request
	req     *request.Request
	info    *telemetry.Request
	catalog *Catalog
	caller  *auth.Caller
}

// root answers /, which has no description of its own yet.
func (x *exchange) root() error {
	if x.options.OpenAPIDisabled {
		return apierr.New("PGRST126", "Root endpoint metadata is disabled")
	}
	return &apierr.Error{
		Code: "SLIP501", Message: "The OpenAPI description is not served by this version",
		Hint: "Ask for a relation by its name, such as /products, or for a function, such as /rpc/search_products",
	}
}

// unsupported refuses the methods that change data.
func (x *exchange) unsupported() error {
	method := x.r.Method
	switch method {
	case http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete:
		if x.req.Target == request.Function && method != http.MethodPost {
			return apierr.New("PGRST101", "Cannot use the "+method+" method on RPC")
		}
		if x.req.Target != request.Root {
			return &apierr.Error{
				Code: "SLIP501", Message: "This version serves reads only: " + method + " is not available",
				Hint: "Use GET, HEAD or OPTIONS",
			}
		}
	}
	return apierr.New("PGRST117", "Unsupported HTTP method: "+method)
}
