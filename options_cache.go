package slipstream

func cacheOptions() []option {
	return []option{
		{
			name: "cache-mode", own: true, defaultText: "auto",
			bind: func(c *Config) value { return choice{&c.CacheMode, []string{"auto", "wal", "off"}} },
			doc: "Whether answers are kept in memory until what they show changes. `wal` follows the database's write-ahead log, which tells of every change, " +
				"whoever makes it; `slipstream cache install` prepares a database for it. `auto` is `wal` where that is possible, and `off` elsewhere. " +
				"While the log cannot be followed, requests go by the cache.",
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
			doc:  "Connection string for following the write-ahead log: of a role with the right REPLICATION, and past any pooler.",
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
			name: "cache-tags", own: true, defaultText: "off", reloadable: true,
			bind: func(c *Config) value {
				return choice{&c.CacheTags, []string{"off", "cache-groups", "surrogate-key", "cache-tag"}}
			},
			doc: "The header in which answers that may be cached name the relations that they are about, as `schema.name`, for caches on the way that drop by tag: " +
				"`Cache-Groups` (RFC 9875), `Surrogate-Key` (Fastly, Varnish) or `Cache-Tag` (Cloudflare, Akamai).",
		},
	}
}
