package slipstream

// option is one row of the table from which everything about configuration is made: parsing, flags, the reference
// page, the JSON Schema, the example and the dump.
type option struct {
	// name is PostgREST's where it has the option. It is the key in files and the flag; the environment variable is
	// SLIPSTREAM_ and the name in capitals with underscores.
	name string
	// older are the names that PostgREST still accepts for it.
	older []string
	// own is true for options that PostgREST has not, and which therefore have no PGRST_ variable.
	own bool
	// fallbackEnv are variables of other programs, read when nothing else sets the option.
	fallbackEnv string
	// bind is the option's view of a Config.
	bind        func(*Config) value
	defaultText string
	// defaultNote describes a default that is computed, or "none".
	defaultNote string
	doc         string
	// secret values are masked in dumps, and read from a file when they begin with @.
	secret bool
	// reloadable options take effect on SIGUSR2 and NOTIFY 'reload config'; the others at the next start.
	reloadable bool
	// inDatabase options can also be set in the database, as in PostgREST. All of them are reloadable.
	inDatabase bool
	// later options are accepted and checked, but have no effect yet.
	later bool
}

// section groups options for readers.
type section struct {
	title   string
	options []option
}

func optionTable() []option {
	var all []option
	for _, s := range sections() {
		all = append(all, s.options...)
	}
	return all
}

func sections() []section {
	return []section{
		{"Database", databaseOptions()},
		{"Connection pool", poolOptions()},
		{"Failover", failoverOptions()},
		{"Reloading", reloadOptions()},
		{"Tokens and cursors", tokenOptions()},
		{"API server", serverOptions()},
		{"Limits of a request", limitOptions()},
		{"Overload", overloadOptions()},
		{"Connections and memory", hygieneOptions()},
		{"Guards of relations", guardOptions()},
		{"Rate limits", rateLimitOptions()},
		{"Replicas", replicaOptions()},
		{"Cache", cacheOptions()},
		{"Admin server", adminOptions()},
		{"Logs and traces", logOptions()},
		{"OpenAPI", openAPIOptions()},
	}
}

func databaseOptions() []option {
	return []option{
		{
			name: "db-uri", fallbackEnv: "DATABASE_URL", defaultText: "postgresql://", secret: true,
			bind: func(c *Config) value { return (*text)(&c.DBURI) },
			doc: "Connection string, as a URI or as `key=value` pairs. What it leaves out comes from libpq's `PG*` variables. " +
				"`@FILE` reads it from a file. The user of the connection is the authenticator: give it no rights but its membership in the roles of callers.",
		},
		{
			name: "db-replicas", own: true, defaultNote: "none", secret: true,
			bind: func(c *Config) value { return uris{&c.DBReplicas} },
			doc: "Connection URIs of streaming standbys, of one server each, as the user and to the database of `db-uri`. Reads go to them, as `replica-reads` says, " +
				"and answers that the cache is to keep are read from one of them that is up to date: what the cache could not serve at once is read from the primary instead. " +
				"With the right REPLICATION, the user sees at once which history they replay; the cache is filled from them only with it.",
		},
		{
			name: "db-schemas", older: []string{"db-schema"}, defaultText: "public", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return list{p: &c.DBSchemas} },
			doc:  "Schemas to expose. The first is used unless a request names another in `Accept-Profile` or `Content-Profile`.",
		},
		{
			name: "db-extra-search-path", defaultText: "public", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return list{p: &c.DBExtraSearchPath, emptyOK: true} },
			doc:  "Schemas added to the search path after the requested one, for extensions and shared functions. They are not exposed. Empty adds none.",
		},
		{
			name: "db-anon-role", defaultNote: "none", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.DBAnonRole) },
			doc:  "Role of requests that carry no token. Without it they are refused with 401.",
		},
		{
			name: "db-pre-request", older: []string{"pre-request"}, defaultNote: "none", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.DBPreRequest) },
			doc:  "Function to call first in every transaction, once role and claims are set. It may raise an error to refuse the request.",
		},
		{
			name: "db-pre-request-reads", own: true, defaultNote: "not declared", reloadable: true,
			bind: func(c *Config) value { return list{p: &c.DBPreRequestReads} },
			doc: "What `db-pre-request` looks at, so that answers can be cached in spite of it: `request.jwt.claims`, `request.headers` and `request.cookies`, " +
				"with `.name` for a single member, `request.method`, `request.path`, and relations as `schema.name`; `nothing` alone for nothing. By naming them you " +
				"declare that what the function sets, and whom it refuses, depends on these and the role alone, not on the time, and that it has no other effect: " +
				"it is not called for answers out of the cache.",
		},
		{
			name: "db-root-spec", older: []string{"root-spec"}, defaultNote: "none", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.DBRootSpec) },
			doc:  "Function that answers `GET /` in place of the OpenAPI description.",
		},
		{
			name: "db-tx-end", defaultText: "commit", reloadable: true, inDatabase: true,
			bind: func(c *Config) value {
				return choice{&c.DBTxEnd, []string{"commit", "commit-allow-override", "rollback", "rollback-allow-override"}}
			},
			doc: "How transactions end. With `-allow-override` a request may choose by `Prefer: tx=commit` or `tx=rollback`.",
		},
		{
			name: "idempotency-keys", own: true, defaultText: "auto", reloadable: true,
			bind: func(c *Config) value { return choice{&c.IdempotencyKeys, []string{"auto", "off"}} },
			doc: "Whether a `POST` or `PATCH` with the header `Idempotency-Key` is done once, and answered as the first time when it is repeated: " +
				"`auto` where `slipstream idempotency install` has run in the database, `off` never. Elsewhere the header is ignored.",
		},
		{
			name: "db-max-rows", older: []string{"max-rows"}, defaultNote: "no bound", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return number{p: &c.DBMaxRows} },
			doc:  "Most rows that one read returns, whatever its `limit`.",
		},
		{
			name: "db-aggregates-enabled", defaultText: "false", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*enabled)(&c.DBAggregatesEnabled) },
			doc:  "Allow `sum()`, `avg()`, `count()`, `min()` and `max()` in `select`. They let a client ask for scans of whole tables.",
		},
		{
			name: "db-plan-enabled", defaultText: "false", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*enabled)(&c.DBPlanEnabled) },
			doc:  "Answer `Accept: application/vnd.pgrst.plan` with the execution plan. Plans reveal table sizes: keep it off in production.",
		},
		{
			name: "db-group-inserts", own: true, defaultText: "true", reloadable: true,
			bind: func(c *Config) value { return (*disabled)(&c.DisableGroupedInserts) },
			doc: "While more inserts of single rows into a table are under way than there are connections, do up to 64 of them in one transaction. " +
				"Each has its own settings and its own answer or error; `now()` is the same for all of a transaction. " +
				"Only for tables without triggers, deferrable constraints, and functions in defaults, checks and policies.",
		},
		{
			name: "db-prepared-statements", defaultText: "true",
			bind: func(c *Config) value { return (*disabled)(&c.DisablePreparedStatements) },
			doc:  "Prepare statements once per connection. Turn it off only behind a pooler in transaction mode that does not support them.",
		},
		{
			name:        "db-hoisted-tx-settings",
			defaultText: "statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return list{p: &c.DBHoistedTxSettings} },
			doc:  "Settings of roles and functions (`ALTER ROLE … SET`) that are applied to the whole transaction.",
		},
		{
			name: "db-statement-timeout", own: true, defaultNote: "the database's", reloadable: true,
			bind: func(c *Config) value { return duration{p: &c.DBStatementTimeout, zero: true} },
			doc:  "Longest that a statement may run. A `statement_timeout` of the caller's role goes before it.",
		},
		{
			name: "app.settings", defaultNote: "none", reloadable: true, secret: true,
			bind: func(c *Config) value { return settings{&c.AppSettings} },
			doc: "Texts that functions can read with `current_setting('app.settings.NAME')`: a mapping in YAML, `app.settings.NAME` in PostgREST's file format, " +
				"one variable `SLIPSTREAM_APP_SETTINGS_NAME` each, or `--app.settings NAME=TEXT`.",
		},
	}
}

func poolOptions() []option {
	return []option{
		{
			name: "db-pool", defaultText: "10",
			bind: func(c *Config) value { return number{p: &c.DBPool, min: 1} },
			doc:  "Most connections to the database, besides the one that listens for notifications.",
		},
		{
			name: "db-pool-acquisition-timeout", defaultText: "10",
			bind: func(c *Config) value { return duration{p: &c.DBPoolAcquisitionTimeout} },
			doc:  "Longest that a request waits for a connection before it is answered with 504.",
		},
		{
			name: "db-pool-max-idletime", older: []string{"db-pool-timeout"}, defaultText: "30",
			bind: func(c *Config) value { return duration{p: &c.DBPoolMaxIdletime} },
			doc:  "Time after which an unused connection is closed.",
		},
		{
			name: "db-pool-max-lifetime", defaultText: "1800",
			bind: func(c *Config) value { return duration{p: &c.DBPoolMaxLifetime} },
			doc:  "Time after which a connection is replaced.",
		},
		{
			name: "db-pool-automatic-recovery", defaultText: "true", reloadable: true,
			bind: func(c *Config) value { return (*disabled)(&c.DisablePoolRecovery) },
			doc:  "Wait for a lost database to come back, answering 503 meanwhile. When off, the process ends with an error.",
		},
	}
}

func reloadOptions() []option {
	return []option{
		{
			name: "db-channel", defaultText: "pgrst",
			bind: func(c *Config) value { return (*text)(&c.DBChannel) },
			doc:  "Notification channel: `NOTIFY pgrst, 'reload schema'`, `'reload config'` and `'purge cache {\"table\": \"api.rates\"}'`.",
		},
		{
			name: "db-channel-enabled", defaultText: "true",
			bind: func(c *Config) value { return (*disabled)(&c.DisableChannel) },
			doc:  "Listen on the channel. Turn it off behind a pooler in transaction mode.",
		},
		{
			name: "db-config", defaultText: "true", reloadable: true,
			bind: func(c *Config) value { return (*disabled)(&c.DisableDBConfig) },
			doc:  "Read settings from the database: `ALTER ROLE authenticator SET pgrst.db_schemas = …`.",
		},
		{
			name: "db-pre-config", defaultNote: "none", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.DBPreConfig) },
			doc:  "Function that sets `pgrst.…` settings when the configuration is read from the database.",
		},
	}
}

func tokenOptions() []option {
	return []option{
		{
			name: "jwt-secret", defaultNote: "none", reloadable: true, inDatabase: true, secret: true,
			bind: func(c *Config) value { return (*text)(&c.JWTSecret) },
			doc: "Verifies tokens: a shared secret of at least 32 bytes, a JWK, a JWK set, or the `https://` address of a JWK set, which is fetched again as keys rotate. " +
				"`@FILE` reads it from a file. Without it, tokens are refused.",
		},
		{
			name: "jwt-secret-is-base64", older: []string{"secret-is-base64"}, defaultText: "false", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*enabled)(&c.JWTSecretIsBase64) },
			doc:  "The shared secret is base64, standard or URL-safe.",
		},
		{
			name: "jwt-aud", defaultNote: "any", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.JWTAud) },
			doc:  "Audience that the `aud` claim must contain. Tokens without that claim are accepted.",
		},
		{
			name: "jwt-role-claim-key", older: []string{"role-claim-key"}, defaultText: ".role", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.JWTRoleClaimKey) },
			doc:  "Path of the role in the claims, such as `.realm_access.roles[0]` or `.\"https://example.com/role\"`.",
		},
		{
			name: "jwt-cache-max-entries", defaultText: "1000", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return number{p: &c.JWTCacheMaxEntries, min: 1, off: NoCache} },
			doc:  "Verified tokens to remember, so that the same token is not verified again. 0 remembers none.",
		},
		{
			name: "cursor-secret", own: true, defaultNote: "derived from jwt-secret", reloadable: true, secret: true,
			bind: func(c *Config) value { return (*text)(&c.CursorSecret) },
			doc:  "Authenticates page cursors; at least 32 bytes. All instances must agree on it. `@FILE` reads it from a file.",
		},
	}
}
