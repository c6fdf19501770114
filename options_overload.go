package slipstream

func overloadOptions() []option {
	return []option{
		{
			name: "overload-protection", own: true, defaultText: "true",
			bind: func(c *Config) value { return (*disabled)(&c.DisableOverloadProtection) },
			doc: "Find out how many requests the database can do at a time, let the more important ones go first, and refuse at once, with 503 and `Retry-After`, " +
				"what would only wait in vain. Without it requests wait for a connection in the order in which they came, for `db-pool-acquisition-timeout`.",
		},
	}
}
