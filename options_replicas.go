package slipstream

func replicaOptions() []option {
	return []option{
		{
			name: "replica-reads", own: true, defaultText: "on", reloadable: true,
			bind: func(c *Config) value { return choice{&c.ReplicaReads, []string{"on", "off"}} },
			doc: "Where there are `db-replicas`, read from them what is not kept by the cache: `GET` and `HEAD` of relations and of functions that are not `VOLATILE`. " +
				"Whoever has written, by this instance or with a `Consistency-Token`, is answered from a state that has seen it. `Prefer: read=primary` and " +
				"`Cache-Control: no-cache` read from the primary, and so do all reads with `off`.",
		},
		{
			name: "replica-max-lag", own: true, defaultText: "10",
			bind: func(c *Config) value { return duration{p: &c.ReplicaMaxLag} },
			doc: "How far a replica may be behind the primary; those further behind are not read from. While the primary does not answer, they are taken to be as far " +
				"behind as before.",
		},
	}
}
