package slipstream

func rateLimitOptions() []option {
	return []option{
		{
			name: limitsOption, own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return limits{&c.Limits} },
			doc: "Rate limits: a list of policies, each a mapping with `name`, `quota` and `window`, and where wanted `burst` (how much may be used at once, by default `quota`), " +
				"`by` (what callers are told apart by: `ip`, `sub`, `role`, `claim:NAME`, `header:NAME`, `route`, `method`; nothing counts all together), `routes`, `methods` and `roles` " +
				"(which requests count), `cost` (a mapping from routes to what requests for them take), `count: failed-tokens` (only requests whose token is refused) and `dry-run`. " +
				"A request over a quota is answered with 429. In any stretch of time as long as `window`, at most `quota` + `burst` are used. " +
				"In flags, variables and PostgREST's file format it is the same list as JSON. How to use them is in `docs/how-to/rate-limit-an-api.md`.",
		},
		{
			name: "limits-store", own: true, defaultText: "auto",
			bind: func(c *Config) value { return choice{&c.LimitsStore, []string{"auto", "local"}} },
			doc: "Where rate limits are counted: `auto` for all instances together where there is a `redis-url`, else in each instance by itself, as with `local`. " +
				"Instances share the counts of a policy that have the same Redis, the same `cursor-secret` or else `jwt-secret`, and the same policy.",
		},
		{
			name: "limits-away", own: true, defaultText: "share",
			bind: func(c *Config) value { return choice{&c.LimitsAway, []string{"share", "whole", "refuse"}} },
			doc: "What an instance does while Redis does not answer: `share` admits its part of each quota, by the number of instances that were there at last; `whole` admits " +
				"whole quotas; `refuse` answers 503 to what policies are about.",
		},
		{
			name: "limits-timeout", own: true, defaultText: "25ms",
			bind: func(c *Config) value { return duration{p: &c.LimitsTimeout} },
			doc:  "Longest that a request waits for the counts in Redis.",
		},
		{
			name: "limits-ipv6-prefix", own: true, defaultText: "64", reloadable: true,
			bind: func(c *Config) value { return number{p: &c.LimitsIPv6Prefix, min: 1} },
			doc:  "Length of the prefix by which addresses of IPv6 count as one: a client usually has as many addresses as it likes of a /64.",
		},
		{
			name: "server-trusted-proxies", own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return list{p: &c.ServerTrustedProxies} },
			doc: "Proxies that are believed when they say for whom they send a request: addresses and networks such as `10.0.0.0/8`, and `unix` for whoever connects by the Unix socket. " +
				"Without them, the client's address is that of the connection: behind a proxy all clients have the proxy's.",
		},
		{
			name: "server-trusted-header", own: true, defaultText: "X-Forwarded-For", reloadable: true,
			bind: func(c *Config) value { return (*text)(&c.ServerTrustedHeader) },
			doc: "Header in which they say it: `X-Forwarded-For` or another with a list of addresses, or `Forwarded` (RFC 7239). It must be one that the proxies set or extend themselves; " +
				"it is read from the right, up to the first address that is no trusted proxy's.",
		},
	}
}
