package slipstream

func serverOptions() []option {
	return []option{
		{
			name: "server-host", defaultText: "127.0.0.1",
			bind: func(c *Config) value { return (*text)(&c.ServerHost) },
			doc: "Address to listen on. `*`, `*4` and `*6` are all addresses, `!4` all of IPv4, `!6` all of IPv6. " +
				"PostgREST's default is `!4`; ours opens nothing to the network until told to.",
		},
		{
			name: "server-port", defaultText: "3000",
			bind: func(c *Config) value { return port{p: &c.ServerPort} },
			doc:  "Port to listen on.",
		},
		{
			name: "server-reuseport", defaultText: "false",
			bind: func(c *Config) value { return (*enabled)(&c.ServerReusePort) },
			doc:  "Let several processes listen on the port (`SO_REUSEPORT`), so that a new one can start before the old one ends.",
		},
		{
			name: "server-unix-socket", defaultNote: "none",
			bind: func(c *Config) value { return (*text)(&c.ServerUnixSocket) },
			doc:  "Unix socket to listen on instead of host and port.",
		},
		{
			name: "server-unix-socket-mode", defaultText: "660",
			bind: func(c *Config) value { return (*fileMode)(&c.ServerUnixSocketMode) },
			doc:  "Mode of the socket, in octal.",
		},
		{
			name: "server-cors-allowed-origins", defaultNote: "any", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return list{p: &c.ServerCORSAllowedOrigins} },
			doc:  "Origins that browsers may call from.",
		},
		{
			name: "server-trace-header", defaultNote: "none", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.ServerTraceHeader) },
			doc:  "Request header to repeat in the answer and in the log, such as `X-Request-Id`.",
		},
		{
			name: "server-timing-enabled", defaultText: "false", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*enabled)(&c.ServerTimingEnabled) },
			doc:  "Send `Server-Timing`: how long token, parsing, planning, transaction and response took.",
		},
		{
			name: "server-drain-timeout", own: true, defaultText: "30",
			bind: func(c *Config) value { return duration{p: &c.ServerDrainTimeout} },
			doc:  "Longest to wait at shutdown for requests in flight.",
		},
		{
			name: "client-error-verbosity", defaultText: "verbose", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return choice{&c.ClientErrorVerbosity, []string{"verbose", "minimal"}} },
			doc:  "`minimal` leaves the details and hints out of errors.",
		},
		{
			name: "url-use-legacy-target-names", defaultText: "true", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*disabled)(&c.DisableLegacyTargetNames) },
			doc:  "Let filters name an embedded resource by its own name even where it has an alias.",
		},
	}
}

func limitOptions() []option {
	return []option{
		{
			name: "request-max-url", own: true, defaultText: "32KiB", reloadable: true,
			bind: func(c *Config) value { return (*size)(&c.RequestMaxURL) },
			doc:  "Longest URL. Longer ones are answered with 414.",
		},
		{
			name: "request-max-header", own: true, defaultText: "64KiB",
			bind: func(c *Config) value { return (*size)(&c.RequestMaxHeader) },
			doc:  "Most bytes in the header fields of a request. More are answered with 431.",
		},
		{
			name: "request-max-body", own: true, defaultText: "64MiB", reloadable: true,
			bind: func(c *Config) value { return (*size)(&c.RequestMaxBody) },
			doc:  "Longest body. Longer ones are answered with 413.",
		},
		{
			name: "request-max-depth", own: true, defaultText: "32", reloadable: true,
			bind: func(c *Config) value { return number{p: &c.RequestMaxDepth, min: 1} },
			doc:  "Deepest nesting of embedded resources, and of `and` and `or`.",
		},
		{
			name: "request-max-conditions", own: true, defaultText: "512", reloadable: true,
			bind: func(c *Config) value { return number{p: &c.RequestMaxConditions, min: 1} },
			doc:  "Most filters in one request.",
		},
		{
			name: "request-max-fields", own: true, defaultText: "1600", reloadable: true,
			bind: func(c *Config) value { return number{p: &c.RequestMaxFields, min: 1} },
			doc:  "Most selected fields and embedded resources in one request. PostgreSQL takes 1664 columns.",
		},
		{
			name: "request-max-embeds", own: true, defaultText: "64", reloadable: true,
			bind: func(c *Config) value { return number{p: &c.RequestMaxEmbeds, min: 1} },
			doc:  "Most embedded resources in one request. Each is a join, and PostgreSQL plans a hundred of them for seconds.",
		},
		{
			name: "batch-max-operations", own: true, defaultText: "100", reloadable: true,
			bind: func(c *Config) value { return number{p: &c.BatchMaxOperations, min: 1, off: NoBatch} },
			doc:  "Most operations in one batch (`POST /` with `Content-Type: application/vnd.slipstream.batch+json`). 0 switches batches off.",
		},
		{
			name: "response-buffer", own: true, defaultText: "1MiB", reloadable: true,
			bind: func(c *Config) value { return (*size)(&c.ResponseBuffer) },
			doc:  "Bytes of a streamed answer held back at first: answers that fit keep their exact `Content-Length`.",
		},
	}
}

func guardOptions() []option {
	return []option{
		{
			name: relationsOption, own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return relations{&c.Relations} },
			doc: "Limits of single relations: a mapping from `schema.name`, from `name`, which is that relation in any exposed schema, or from `\"*\"`, " +
				"which is all of them, to `max-rows`, `max-embed-depth`, `indexed-filters-only`, `max-cost`, `statement-timeout` and `full-table-writes`, " +
				"and for the cache to `cache`, `cache-ttl`, `cache-stale-while-revalidate`, `cache-stale-if-error`, `cache-staleness`, `cache-public`, `cache-max-age` and `cache-vary-claims`. " +
				"A guard that an entry leaves out is that of the next in this order. Any entry that is not about the cache alone blocks PATCH and DELETE without a filter unless it has `full-table-writes: true`. " +
				"In flags, variables and PostgREST's file format it is the same mapping as JSON. How to use them is in `docs/how-to/guard-a-relation.md` and `docs/how-to/cache-answers.md`.",
		},
	}
}

func adminOptions() []option {
	return []option{
		{
			name: "admin-server-host", defaultText: "127.0.0.1",
			bind: func(c *Config) value { return (*text)(&c.AdminServerHost) },
			doc: "Address of the admin server (`/live`, `/ready`, `/metrics`, `/config`, `/debug/pprof/` …). PostgREST's default is `server-host`; " +
				"ours stays on the machine, because profiles and settings are nobody else's business.",
		},
		{
			name: "admin-server-port", defaultNote: "`server-port` + 1",
			bind: func(c *Config) value { return port{p: &c.AdminServerPort, offOK: true} },
			doc:  "Port of the admin server; where the default is taken already, a free one. PostgREST has none unless told to.",
		},
		{
			name: "admin-server-unix-socket", defaultNote: "none",
			bind: func(c *Config) value { return (*text)(&c.AdminServerUnixSocket) },
			doc:  "Unix socket of the admin server instead of host and port.",
		},
		{
			name: "admin-server-unix-socket-mode", defaultText: "660",
			bind: func(c *Config) value { return (*fileMode)(&c.AdminServerUnixSocketMode) },
			doc:  "Mode of that socket, in octal.",
		},
	}
}

func logOptions() []option {
	return []option{
		{
			name: "log-level", defaultText: "error", reloadable: true,
			bind: func(c *Config) value { return choice{&c.LogLevel, []string{"crit", "error", "warn", "info", "debug"}} },
			doc: "Which requests are logged: `crit` none, `error` those answered with 5xx, `warn` 4xx too, `info` all. " +
				"The server's own messages are always logged; `debug` adds its debug messages.",
		},
		{
			name: "log-query", defaultText: "false", reloadable: true,
			bind: func(c *Config) value { return logQuery{(*enabled)(&c.LogQuery)} },
			doc:  "Add the SQL of the requests that are logged, without its values, as `sql`.",
		},
		{
			name: "access-log", own: true, defaultText: "stderr",
			bind: func(c *Config) value { return (*text)(&c.AccessLog) },
			doc:  "Where requests are logged, as lines of JSON: `stderr`, `stdout`, `off` or a file.",
		},
		{
			name: "access-log-max-size", own: true, defaultText: "100MiB",
			bind: func(c *Config) value { return (*size)(&c.AccessLogMaxSize) },
			doc:  "Size at which the file is rotated.",
		},
		{
			name: "access-log-max-age", own: true, defaultNote: "keep",
			bind: func(c *Config) value { return duration{p: &c.AccessLogMaxAge, zero: true} },
			doc:  "Age at which rotated files are deleted.",
		},
		{
			name: "access-log-max-backups", own: true, defaultText: "10",
			bind: func(c *Config) value { return number{p: &c.AccessLogMaxBackups, min: 1} },
			doc:  "Rotated files to keep.",
		},
		{
			name: "otlp-endpoint", own: true, fallbackEnv: "OTEL_EXPORTER_OTLP_ENDPOINT", defaultNote: "none",
			bind: func(c *Config) value { return (*text)(&c.OTLPEndpoint) },
			doc:  "Where to send traces: `http://host:4318` (OTLP over HTTP) or `host:4317` (gRPC).",
		},
	}
}

func openAPIOptions() []option {
	return []option{
		{
			name: "openapi-mode", defaultText: "follow-privileges", reloadable: true, inDatabase: true,
			bind: func(c *Config) value {
				return choice{&c.OpenAPIMode, []string{"follow-privileges", "ignore-privileges", "disabled"}}
			},
			doc: "What the description at `/` shows: what the caller's role may use, everything exposed, or nothing at all.",
		},
		{
			name: "openapi-security-active", defaultText: "false", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*enabled)(&c.OpenAPISecurityActive) },
			doc:  "Describe the token in it.",
		},
		{
			name: "openapi-server-proxy-uri", defaultNote: "none", reloadable: true, inDatabase: true,
			bind: func(c *Config) value { return (*text)(&c.OpenAPIServerProxyURI) },
			doc:  "Address under which clients reach the API, when that is a proxy's.",
		},
	}
}
