package slipstream

func cacheOptions() []option {
	return []option{
		{
			name: "cache-mode", own: true, defaultText: "auto",
			bind: func(c *Config) value { return choice{&c.CacheMode, []string{"auto", "wal", "notify", "ttl", "off"}} },
			doc: "Whether answers are kept in memory until what they show changes. `wal` follows the database's write-ahead log, which tells of every change, " +
				"whoever makes it; `slipstream cache install` prepares a database for it. `notify` listens to triggers, which tell the tables that were " +
				"written to, where the log cannot be followed; `slipstream cache install --mode notify` makes them. `ttl` keeps only answers of relations " +
				"with `cache: ttl`, for their `cache-ttl`, whatever changes; it needs nothing of the database. `auto` is `wal` where that is possible, else " +
				"`notify`, else `ttl`. While changes cannot be learnt, requests for all other relations go by the cache.",
		},
		{
			name: "cache-memory", own: true, defaultNote: "a quarter of the process's memory limit; 256 MiB without a limit",
			bind: func(c *Config) value { return (*size)(&c.CacheMemory) },
			doc:  "Most memory for answers that are kept, with all that belongs to them.",
		},
		{
			name: "cache-staleness", own: true, defaultText: "1",
			bind: func(c *Config) value { return duration{p: &c.CacheStaleness} },
			doc: "How old an answer out of the cache may be at most. Usually it is a few milliseconds behind the last commit; when changes take longer than this " +
				"to arrive, requests go by the cache.",
		},
		{
			name: "cache-db-uri", own: true, defaultNote: "`db-uri`", secret: true,
			bind: func(c *Config) value { return (*text)(&c.CacheDBURI) },
			doc:  "Connection string for learning of changes, past any pooler: in the mode `wal`, of a role with the right REPLICATION.",
		},
		{
			name: "cache-slots", own: true, defaultText: "4",
			bind: func(c *Config) value { return number{p: &c.CacheSlots, min: 1} },
			doc: "How many of the instances that share a Redis follow the write-ahead log by a replication slot of their own. The others follow one of these, which " +
				"passes on through Redis (6.2 or later), encrypted, what it gets. Instances do so together that have the same database and the same `cursor-secret`, or else " +
				"`jwt-secret`; while Redis is away, those that start have slots of their own.",
		},
		{
			name: "redis-url", own: true, fallbackEnv: "REDIS_URL", defaultNote: "none", secret: true,
			bind: func(c *Config) value { return (*text)(&c.RedisURL) },
			doc: "A Redis or Valkey through which instances share what they keep: `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, `unix:///path`; " +
				"further nodes of a cluster, or sentinels with `master_set=NAME`, as `?addr=host:port`. While it is away or slow, each instance goes on alone. " +
				"Instances that share are of the same build, with the same secrets and options as far as answers depend on them, on the same database; what others " +
				"have fetched before an instance's own start is of no use to it. Entries are encrypted with `cursor-secret` or what `jwt-secret` keeps secret; " +
				"without either, only with this address. Sharing takes 16 MiB of memory besides `cache-memory`.",
		},
		{
			name: "cache-status", own: true, defaultText: "true", reloadable: true,
			bind: func(c *Config) value { return (*disabled)(&c.SilentCache) },
			doc:  "Say in the header `Cache-Status` (RFC 9211) whether an answer came out of the cache, and if not, why.",
		},
		{
			name: "consistency-tokens", own: true, defaultText: "auto",
			bind: func(c *Config) value { return choice{&c.ConsistencyTokens, []string{"auto", "on", "off"}} },
			doc: "Whether answers to writes have the header `Consistency-Token`. A `GET` that sends it back, to whichever instance, is answered from a state " +
				"that has seen the write. Tokens are signed with a key derived from `cursor-secret` or else `jwt-secret`, which all instances must share: " +
				"`auto` is `on` where there is one, and a cache or replicas that are read from.",
		},
		{
			name: "cache-tags", own: true, defaultText: "off", reloadable: true,
			bind: func(c *Config) value {
				return choice{&c.CacheTags, []string{"off", "cache-groups", "surrogate-key", "cache-tag"}}
			},
			doc: "The header in which answers that may be cached name the relations that they are about, as `schema.name`, for caches on the way that drop by tag: " +
				"`Cache-Groups` (RFC 9875), `Surrogate-Key` (Fastly, Varnish) or `Cache-Tag` (Cloudflare, Akamai).",
		},
		{
			name: "cache-purge-url", own: true, defaultNote: "none",
			bind: func(c *Config) value { return (*text)(&c.CachePurgeURL) },
			doc: "Address that gets a `POST` when relations with `cache-public` have changed, at most one in a second, with their tags as `cache-tags` has them: " +
				"for `surrogate-key` in that header, as Fastly's `https://api.fastly.com/service/ID/purge` takes them, else as `{\"tags\": [\"schema.name\"]}`, as Cloudflare's " +
				"`https://api.cloudflare.com/client/v4/zones/ID/purge_cache` does. What fails is tried again. Each instance calls for itself.",
		},
		{
			name: "cache-purge-token", own: true, defaultNote: "none", secret: true,
			bind: func(c *Config) value { return (*text)(&c.CachePurgeToken) },
			doc:  "Secret for `cache-purge-url`. `@FILE` reads it from a file.",
		},
		{
			name: "cache-purge-header", own: true, defaultText: "Authorization",
			bind: func(c *Config) value { return (*text)(&c.CachePurgeHeader) },
			doc:  "Header for `cache-purge-token`: in `Authorization` it is a bearer token, in others such as `Fastly-Key` it stands alone.",
		},
	}
}
