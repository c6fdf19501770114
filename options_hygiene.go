package slipstream

func hygieneOptions() []option {
	return []option{
		{
			name: "server-max-connections", own: true, defaultNote: "four fifths of the open files that the process may have, less 4 for each of `db-pool`; at most 100000",
			bind: func(c *Config) value { return number{p: &c.ServerMaxConnections, min: 1} },
			doc: "Most connections of clients at a time. When there are as many, those that have waited longest for their next request, and for a second at least, make room; " +
				"where none waits, new ones are answered with 503 and closed. The admin server has 64 of its own.",
		},
		{
			name: "server-max-connections-per-ip", own: true, defaultNote: "half of `server-max-connections`, or 1000 if that is more",
			bind: func(c *Config) value { return number{p: &c.ServerMaxConnectionsPerIP, min: 1} },
			doc:  "Most connections from one IPv4 address, or one /64 of IPv6. More are answered with 503 and closed. A balancer in front is one address.",
		},
		{
			name: "server-http2", own: true, defaultText: "true",
			bind: func(c *Config) value { return (*disabled)(&c.DisableHTTP2) },
			doc:  "Speak HTTP/2 without TLS with clients that begin with it, as balancers and gRPC proxies do (\"h2c with prior knowledge\"), besides HTTP/1.1.",
		},
		{
			name: "server-drain-delay", own: true, defaultText: "0",
			bind: func(c *Config) value { return duration{p: &c.ServerDrainDelay, zero: true} },
			doc: "How long connections are still accepted after the shutdown began and `/ready` says no: as long as what is in front needs to notice. " +
				"Answers end their connections meanwhile.",
		},
		{
			name: "buffer-memory", own: true, defaultNote: "a quarter of the memory that the process may take; of the machine's without a limit",
			bind: func(c *Config) value { return (*size)(&c.BufferMemory) },
			doc: "Most memory for bodies of requests, and of answers over 64 KiB, that are under way, together. Where there is no room a request is answered with 503, " +
				"and with 400 where an answer is too large ever to fit, which takes twice its size. Answers as NDJSON and CSV are streamed and take next to none.",
		},
		{
			name: "memory-guard", own: true, defaultText: "true",
			bind: func(c *Config) value { return (*disabled)(&c.DisableMemoryGuard) },
			doc: "Watch the memory of the process against the limit of its cgroup (of its container), or else GOMEMLIMIT. From 92 % on, waiting connections are closed and memory is " +
				"given back; from 95 % on, requests of the tiers sheddable and background are answered with 503, and what `degrade` names for levels 1 and 2 is off; from 97 % on, " +
				"all requests are answered with 503. Without a limit there is nothing to watch.",
		},
	}
}
