package slipstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/ratelimit"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/schema"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/internal/writetoken"
)

// serving is a configuration in force with what was made of it. A reload replaces it as a whole; requests under way
// finish with the one that they began with.
type serving struct {
	generation uint64 // of configurations, for the keys of what is kept
	config     Config
	verifier   *auth.Verifier
	data       *rest.Handler
	tokenKey   writetoken.Key             // nil where answers have no tokens
	writer     func(*http.Request) uint64 // who writes; nil where that is not remembered
	cache      *httpcache.Handler         // before data; nil when off
	limits     *ratelimit.Limits          // nil without any
	handler    http.Handler
}

// serve makes what serves cfg. Keys that previous has fetched are taken over.
func (s *Server) serve(cfg Config, previous *serving) (*serving, error) {
	verifier, err := auth.New(auth.Config{
		AnonRole: cfg.DBAnonRole, Secret: cfg.JWTSecret, SecretIsBase64: cfg.JWTSecretIsBase64,
		Audience: cfg.JWTAud, RoleClaimKey: cfg.JWTRoleClaimKey,
		CacheMaxEntries: max(cfg.JWTCacheMaxEntries, 0), Logger: s.log, Metrics: s.metrics,
	})
	if err != nil {
		return nil, err
	}
	if previous != nil {
		verifier.TakeKeys(previous.verifier)
	}
	next := &serving{config: cfg, verifier: verifier, limits: s.limit(cfg, previous), tokenKey: cfg.consistencyKey()}
	data, err := cfg.rest(s)
	if err != nil {
		return nil, err
	}
	data.AdmitBatch = next.limits.Operations
	next.data = rest.New(data, s.db, s.catalog.Load)
	if s.replicas != nil {
		next.writer = s.writer
	}
	if s.caching != nil {
		next.cache = s.caching.before(next.data, cfg, s.metrics)
		next.generation = s.caching.generation.Load()
	}
	next.handler = edge.Chain(
		s.routes(next),
		edge.Observe(edge.Observer{Metrics: s.metrics, Access: s.access, Tracer: s.tracer, Draining: s.api.Draining}),
		edge.Recover(s.log, cfg.verbosity()),
		edge.TraceHeader(cfg.ServerTraceHeader),
		edge.Limit(cfg.limits(), cfg.verbosity()),
		s.whileMemory(cfg.verbosity()),
		edge.CORS(cfg.ServerCORSAllowedOrigins, next.exposed()...),
		s.whenLoaded(next),
		next.limits.Before,
		next.authenticate,
		next.limits.After,
	)
	return next, nil
}

// whenLoaded answers 503 until the schema is there, before anything else can be said of a request.
func (s *Server) whenLoaded(v *serving) edge.Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.catalog.Load() == nil {
				edge.WriteError(w, r, rest.ErrNoCatalog(), v.config.verbosity())
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// authenticate verifies who sends a request before anything else looks at it.
func (v *serving) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := telemetry.RequestFrom(r.Context())
		if v.config.ServerTimingEnabled {
			info.StartTiming()
		}
		caller, err := v.verifier.Caller(r.Context(), r.Header.Get("Authorization"))
		info.MarkTiming(telemetry.PhaseJWT)
		if err != nil {
			e := apierr.From(err)
			if e == nil {
				panic(http.ErrAbortHandler) // the client left while its key was fetched
			}
			if !v.limits.Failed(w, r, e.HTTPStatus()) {
				edge.WriteError(w, r, e, v.config.verbosity())
			}
			return
		}
		next.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), caller)))
	})
}

// routes puts the program's own handlers before the data API.
func (s *Server) routes(v *serving) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.hasOwn.Load() {
			if _, pattern := s.own.Handler(r); pattern != "" {
				telemetry.RequestFrom(r.Context()).SetRoute(pattern)
				v.withToken(s.own, w, r.WithContext(withDB(r.Context(), &DB{server: s, serving: v, request: r})))
				return
			}
		}
		v.answer(w, r)
	})
}

// answer serves the data API.
func (v *serving) answer(w http.ResponseWriter, r *http.Request) {
	var api http.Handler = v.data
	if v.cache != nil {
		api = v.cache
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		api.ServeHTTP(w, r)
		return
	}
	v.withToken(api, w, r)
}

func (s *Server) adminHandler() http.Handler {
	return edge.Admin{
		Live:     s.api.Live,
		Ready:    s.Ready,
		Metrics:  s.metrics.Handler(),
		Cache:    s.cacheAdmin(),
		Replicas: s.adminAnswer(func(*http.Request) (any, error) { return s.ReplicaStatus(), nil }),
		SchemaCache: func(w io.Writer) error {
			c := s.catalog.Load()
			if c == nil {
				return fmt.Errorf("no schema is loaded yet")
			}
			b, err := c.Schema.MarshalJSON()
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		},
		Config: func(w io.Writer) error {
			_, err := io.WriteString(w, s.current.Load().config.YAML()) // with its secrets masked
			return err
		},
		Log: s.log,
	}.Handler()
}

// Ready returns nil when requests can be served: the schema is loaded, the database answers, no drain has begun.
func (s *Server) Ready(ctx context.Context) error {
	switch {
	case s.api.Draining():
		return fmt.Errorf("draining")
	case s.catalog.Load() == nil:
		return fmt.Errorf("the schema is not loaded")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.db.Ping(ctx); err != nil {
		return fmt.Errorf("the database does not answer")
	}
	return nil
}

func (c Config) verbosity() apierr.Verbosity {
	if c.ClientErrorVerbosity == "minimal" {
		return apierr.Minimal
	}
	return apierr.Verbose
}

func (c Config) limits() edge.Limits {
	return edge.Limits{URLBytes: int(c.RequestMaxURL), HeaderBytes: int(c.RequestMaxHeader)}
}

func (c Config) rest(s *Server) (rest.Options, error) {
	reads, _ := c.preRequestReads() // validated
	o := rest.Options{
		Request: request.Settings{
			Schemas: c.DBSchemas, RootSpec: qualified(c.DBRootSpec).Name,
			Limits: request.Limits{Depth: c.RequestMaxDepth, Conditions: c.RequestMaxConditions, Fields: c.RequestMaxFields, Embeds: c.RequestMaxEmbeds},
		},
		Plan: plan.Options{
			Aggregates: c.DBAggregatesEnabled, Explain: c.DBPlanEnabled, MaxRows: int64(c.DBMaxRows),
			LegacyTargetNames: !c.DisableLegacyTargetNames, Guards: c.guards(), Policies: c.cachePolicies(),
		},
		ExtraSearchPath: c.DBExtraSearchPath,
		PreRequest:      qualified(c.DBPreRequest),
		PreRequestReads: reads,
		OpenAPI:         c.openAPI(),
		TxOverride:      strings.HasSuffix(c.DBTxEnd, "-allow-override"),
		TxRollback:      strings.HasPrefix(c.DBTxEnd, "rollback"),
		MaxBody:         c.RequestMaxBody,
		GroupInserts:    !c.DisableGroupedInserts,
		BatchOperations: max(c.BatchMaxOperations, 0),
		ServerTiming:    c.ServerTimingEnabled,
		Verbosity:       c.verbosity(),
		CursorSecret:    c.cursorKey(),
		StreamBuffer:    int(c.ResponseBuffer),
		Buffers:         s.buffers,
		Logger:          s.log,
	}
	if s.caching != nil {
		o.Plan.Fills, o.Published = true, s.caching.Published
		if len(c.DBReplicas) > 0 {
			o.Standby = s.caching.standbys.next
		}
		o.Wrote, o.Outdated = s.caching.wroteTo, s.caching.outdated
	}
	if s.replicas != nil && c.ReplicaReads != "off" {
		o.Replica, o.ReplicaLevel = s.readsOn(c.consistencyKey()), s.replicas.Level
	}
	o.IgnoreIdempotencyKeys = c.IdempotencyKeys == "off"
	o.AppSettings, o.RoleDefaults = c.settings()
	return o, c.overload(s, &o)
}

func (c Config) openAPI() rest.OpenAPIOptions {
	server, _ := openapi.ServerAt(c.ServerHost, max(c.ServerPort, 0), c.OpenAPIServerProxyURI) // validated
	o := rest.OpenAPIOptions{Server: server, SecurityActive: c.OpenAPISecurityActive, Version: Version()}
	switch c.OpenAPIMode {
	case "ignore-privileges":
		o.Mode = rest.IgnorePrivileges
	case "disabled":
		o.Mode = rest.OpenAPIDisabled
	}
	return o
}

// settings are app.settings.* and what every role gets unless it has its own.
func (c Config) settings() (app, defaults []pg.Setting) {
	for name, value := range c.AppSettings {
		app = append(app, pg.Setting{Name: "app.settings." + name, Value: value})
	}
	if c.DBStatementTimeout > 0 {
		defaults = append(defaults, pg.Setting{Name: "statement_timeout", Value: fmt.Sprint(c.DBStatementTimeout.Milliseconds())})
	}
	return app, defaults
}

// qualified splits schema.name; a name without a dot has no schema.
func qualified(name string) schema.Name {
	if before, after, ok := strings.Cut(name, "."); ok {
		return schema.Name{Schema: before, Name: after}
	}
	return schema.Name{Name: name}
}

// cursorKey is what cursors are authenticated with.
func (c Config) cursorKey() []byte { return c.derivedKey("slipstream cursor v1") }
