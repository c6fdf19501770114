package slipstream

func failoverOptions() []option {
	return []option{
		{
			name: "failover-park-writes", own: true, defaultText: "256",
			bind: func(c *Config) value { return number{p: &c.FailoverParkWrites, min: 1, off: NoParking} },
			doc: "Where `db-uri` names several hosts, of which one is the primary and the others may become it: how many writes may wait while there is none. " +
				"They go on as soon as there is one; others are answered with 503 and `Retry-After` at once. 0 has none wait.",
		},
		{
			name: "failover-park-time", own: true, defaultText: "5",
			bind: func(c *Config) value { return duration{p: &c.FailoverParkTime} },
			doc:  "Longest that a write waits for a primary before it is answered with 503 and `Retry-After`.",
		},
	}
}
