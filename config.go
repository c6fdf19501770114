package slipstream

import (
	"log/slog"
	"time"
)

// Ports with a meaning of their own.
const (
	AnyPort = -1 // any free port; "0" in a file, the environment or a flag
	NoPort  = -2 // do not listen on TCP; "off"
)

// NoCache as a number of entries switches a cache off; "0" in a file, the environment or a flag.
const NoCache = -1

// NoBatch as the number of operations of a batch switches batches off; "0" in a file, the environment or a flag.
const NoBatch = -1

// NoParking as the number of writes that wait for a primary has none wait; "0" in a file, the environment or a flag.
const NoParking = -1

// Config is everything that can be set. The zero value of each field is its documented default
// (docs/configuration.md lists them all); [Config.WithDefaults] fills them in and [Config.Validate] checks them.
// Fields are named after PostgREST's options where it has the option; switches that are on by default have a
// field that disables them.
type Config struct {
	// Database.

	// DBURI is a PostgreSQL connection string, URI or key=value; what it leaves out comes from the PG* environment.
	DBURI string
	// DBReplicas are connection URIs of streaming standbys, from which is read.
	DBReplicas []string
	// DBSchemas are the exposed schemas, the first being the default one; nil is [public].
	DBSchemas []string
	// DBExtraSearchPath is appended to the search path of every request; nil is [public], empty but not nil adds nothing.
	DBExtraSearchPath []string
	// DBAnonRole is the role of requests without a token; empty refuses them.
	DBAnonRole string
	// DBPreRequest is the function called at the start of every transaction, or empty.
	DBPreRequest string
	// DBPreRequestReads declares what it looks at, so that answers can be cached: settings such as request.jwt.claims.tenant and
	// relations such as api.blocked; "nothing" alone for nothing. Empty declares nothing.
	DBPreRequestReads []string
	// DBRootSpec is the function that answers GET /, or empty.
	DBRootSpec string
	// DBTxEnd is commit (default), commit-allow-override, rollback or rollback-allow-override.
	DBTxEnd string
	// IdempotencyKeys is auto (default: Idempotency-Key is honoured where "slipstream idempotency install" has run) or off.
	IdempotencyKeys string
	// DBMaxRows bounds the rows of a read; 0 is no bound.
	DBMaxRows int
	// DBAggregatesEnabled allows aggregate functions in select.
	DBAggregatesEnabled bool
	// DBPlanEnabled allows Accept: application/vnd.pgrst.plan.
	DBPlanEnabled bool
	// DisablePreparedStatements is needed behind poolers in transaction mode.
	DisablePreparedStatements bool
	// DisableGroupedInserts gives every insert a transaction of its own, however many of them wait for a connection.
	DisableGroupedInserts bool
	// DBHoistedTxSettings are the settings of roles and functions applied to the transaction; nil is
	// statement_timeout, plan_filter.statement_cost_limit, default_transaction_isolation.
	DBHoistedTxSettings []string
	// DBStatementTimeout bounds each statement; 0 leaves it to the database and the roles.
	DBStatementTimeout time.Duration
	// AppSettings are passed to every transaction as app.settings.<name>.
	AppSettings map[string]string

	// Pool.

	DBPool                   int           // connections, default 10
	DBPoolAcquisitionTimeout time.Duration // default 10 s
	DBPoolMaxIdletime        time.Duration // default 30 s
	DBPoolMaxLifetime        time.Duration // default 30 min
	// DisablePoolRecovery ends the process when the database is lost, instead of waiting for it.
	DisablePoolRecovery bool

	// Failover, where DBURI names several hosts.

	FailoverParkWrites int           // writes that wait for a primary, default 256; NoParking none
	FailoverParkTime   time.Duration // for how long, default 5 s

	// Reloading.

	DBChannel       string // the NOTIFY channel, default pgrst
	DisableChannel  bool   // do not LISTEN
	DisableDBConfig bool   // do not read settings from the database
	DBPreConfig     string // function that sets pgrst.* settings

	// Tokens.

	// JWTSecret is a shared secret (≥ 32 bytes), a JWK, a JWK set, or the https:// address of a JWK set. Empty refuses
	// all tokens.
	JWTSecret         string
	JWTSecretIsBase64 bool
	// JWTAud is the audience that tokens must have, if they have any.
	JWTAud string
	// JWTRoleClaimKey is the path of the role in the claims, default ".role" ("$.role" is the same).
	JWTRoleClaimKey string
	// JWTCacheMaxEntries bounds the cache of verified tokens; 0 is 1000, NoCache none.
	JWTCacheMaxEntries int
	// CursorSecret authenticates page cursors; empty derives it from JWTSecret.
	CursorSecret string

	// API server.

	// ServerHost is an address, or one of PostgREST's *, *4, !4, *6, !6; default 127.0.0.1.
	ServerHost           string
	ServerPort           int    // default 3000, or AnyPort
	ServerReusePort      bool   // SO_REUSEPORT: several processes on one port
	ServerUnixSocket     string // path; takes precedence over host and port
	ServerUnixSocketMode string // octal, default 660
	// ServerCORSAllowedOrigins is empty for any.
	ServerCORSAllowedOrigins []string
	ServerTraceHeader        string        // request header echoed in the answer, or empty
	ServerTimingEnabled      bool          // Server-Timing header
	ServerDrainTimeout       time.Duration // for requests in flight at shutdown, default 30 s
	ClientErrorVerbosity     string        // verbose (default) or minimal
	DisableLegacyTargetNames bool          // an aliased embed is filtered by its alias only

	// Limits of one request and answer.

	RequestMaxURL        int64 // bytes, default 32 KiB
	RequestMaxHeader     int64 // bytes of all header fields, default 64 KiB
	RequestMaxBody       int64 // bytes, default 64 MiB
	RequestMaxDepth      int   // nesting of embeds and logic trees, default 32
	RequestMaxConditions int   // filters and logic leaves, default 512
	RequestMaxFields     int   // selected fields and embeds, default 1600
	RequestMaxEmbeds     int   // embedded resources, default 64
	BatchMaxOperations   int   // operations of a batch, default 100; NoBatch switches batches off
	ResponseBuffer       int64 // bytes held back before an answer is streamed, default 1 MiB

	// Overload.

	// DisableOverloadProtection has all requests wait for the database in the order in which they come.
	DisableOverloadProtection bool
	// Priorities are tiers by route: see docs/configuration.md.
	Priorities map[string]string
	// PriorityClaim is the claim that names a caller's tier, or empty.
	PriorityClaim string
	// TenantClaim is the claim that tells whose requests belong together, default sub.
	TenantClaim string
	// RequestTimeout bounds a request from its arrival; 0 does not.
	RequestTimeout time.Duration
	// Degrade are the levels of overload from which features are off.
	Degrade map[string]string
	// Connections and memory.

	ServerMaxConnections      int           // default by the limit of open files, at most 100,000
	ServerMaxConnectionsPerIP int           // default half of that
	DisableHTTP2              bool          // HTTP/1.1 only
	ServerDrainDelay          time.Duration // still accepting connections, default 0
	BufferMemory              int64         // bytes of bodies and answers under way, default a quarter of the process's memory
	DisableMemoryGuard        bool          // do not watch the memory

	// Relations are the guards of relations, by schema.name, by name in any exposed schema, or * for all of them.
	Relations map[string]RelationGuards

	// Rate limits.

	Limits           []RateLimit   // policies; none by default
	LimitsStore      string        // auto (default: shared where there is a RedisURL) or local
	LimitsAway       string        // what is done while Redis is away: share (default), whole or refuse
	LimitsTimeout    time.Duration // for Redis, default 25 ms
	LimitsIPv6Prefix int           // bits by which addresses of IPv6 count as one, default 64
	// ServerTrustedProxies are addresses, networks or unix: proxies that are believed about their clients' addresses.
	ServerTrustedProxies []string
	ServerTrustedHeader  string // where they say them, default X-Forwarded-For
	// Replicas.

	ReplicaReads  string        // on (default) or off: only fills of the cache are read from DBReplicas
	ReplicaMaxLag time.Duration // how far a replica may be behind to be read from, default 10 s

	// Cache.

	CacheMode      string        // auto (default), wal, notify, ttl or off
	CacheMemory    int64         // bytes, default a quarter of the process's memory limit, or 256 MiB without one
	CacheStaleness time.Duration // how old an answer of the cache may be at most, default 1 s
	CacheDBURI     string        // the connection string of the feed of changes, default DBURI
	CacheSlots     int           // how many of the instances that share a Redis follow the log by a slot of their own, default 4
	RedisURL       string        // a Redis or Valkey that instances share; default none
	SilentCache    bool          // no Cache-Status header
	CacheTags      string        // header with the relations of an answer: off (default), cache-groups, surrogate-key or cache-tag
	// ConsistencyTokens is auto (default: answers to writes have a token where there is a secret to sign it with and the cache
	// is not off), on or off.
	ConsistencyTokens string
	// CachePurgeURL gets a POST when relations with CachePublic have changed; empty is nobody. CachePurgeToken is the secret for
	// it, in CachePurgeHeader: by default in Authorization, as a bearer token.
	CachePurgeURL, CachePurgeToken, CachePurgeHeader string

	// Admin server.

	AdminServerHost           string // default 127.0.0.1
	AdminServerPort           int    // default ServerPort + 1, so 3001; AnyPort or NoPort
	AdminServerUnixSocket     string // path; takes precedence over host and port
	AdminServerUnixSocketMode string // octal, default 660

	// Logs and traces.

	// LogLevel is crit, error (default), warn, info or debug: which requests are logged (5xx from error on, 4xx from
	// warn on, all from info on). The server's own messages are always logged, its debug messages at debug only.
	LogLevel string
	// LogQuery adds the SQL to the log of requests.
	LogQuery bool
	// AccessLog is stderr (default), stdout, off or the path of a file.
	AccessLog           string
	AccessLogMaxSize    int64         // bytes at which the file is rotated, default 100 MiB
	AccessLogMaxAge     time.Duration // of rotated files; 0 keeps them
	AccessLogMaxBackups int           // rotated files kept, default 10
	// OTLPEndpoint receives traces: http(s)://host:port for OTLP over HTTP, host:port for gRPC; empty sends none.
	OTLPEndpoint string

	// Logger takes the server's own messages; nil writes them to standard error. It is for programs, no option sets it.
	Logger *slog.Logger

	// OpenAPI.

	OpenAPIMode           string // follow-privileges (default), ignore-privileges, disabled
	OpenAPISecurityActive bool
	OpenAPIServerProxyURI string
}

// WithDefaults returns the configuration with every unset field given its default.
func (c Config) WithDefaults() Config {
	for _, o := range optionTable() {
		v := o.bind(&c)
		if v.unset() && o.defaultText != "" {
			_ = v.set(o.defaultText) // a test sets all of them
		}
	}
	if c.AdminServerPort == 0 {
		c.AdminServerPort = AnyPort
		if c.ServerPort != AnyPort {
			c.AdminServerPort = c.ServerPort + 1
		}
	}
	return c
}
