package slipstream

import (
	"github.com/slipstream-go/slipstream/internal/priority"
	"github.com/slipstream-go/slipstream/internal/rest"
)

func overloadOptions() []option {
	return []option{
		{
			name: "overload-protection", own: true, defaultText: "true",
			bind: func(c *Config) value { return (*disabled)(&c.DisableOverloadProtection) },
			doc: "Find out how many requests the database can do at a time, let the more important ones go first, and refuse at once, with 503 and `Retry-After`, " +
				"what would only wait in vain. Without it requests wait for a connection in the order in which they came, for `db-pool-acquisition-timeout`.",
		},
		{
			name: "priorities", own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return mapping{&c.Priorities, "tiers by route", checkPriority} },
			doc: "How important requests are: a mapping from a path, such as `orders` or `rpc/pay`, to `critical`, `default`, `sheddable` or `background`. A path may end in `*`, " +
				"and have a method before it: `POST orders`; `GET` is `HEAD`, too. The longest one that fits counts, and of equal ones that with a method. While the database has more to do than it " +
				"can, background work is refused first, and critical requests last. All that is not named is `default`. A client can make its own requests less important by " +
				"`Priority: u=5` (RFC 9218; 6 and 7 are background work), never more. In flags, variables and PostgREST's file format it is the same mapping as JSON.",
		},
		{
			name: "priority-claim", own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return (*text)(&c.PriorityClaim) },
			doc:  "Claim of the token that names the tier of its bearer's requests, as `priorities` does for routes. Where both say something, the less important one counts.",
		},
		{
			name: "tenant-claim", own: true, defaultText: "sub", reloadable: true,
			bind: func(c *Config) value { return (*text)(&c.TenantClaim) },
			doc: "Claim of the token that tells whose requests belong together. While others wait, nobody has more than half of the database's time; and under overload all of " +
				"somebody's requests are served or refused for up to an hour, rather than some of everybody's. Tokens without the claim count together by their role; requests " +
				"without a token by their address, and of those nobody is kept to half. Behind a proxy they all have one address, unless it is one of `server-trusted-proxies`.",
		},
		{
			name: "request-timeout", own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return duration{p: &c.RequestTimeout} },
			doc: "How long a request may take once it has been received with its body. What cannot be answered in that time is refused before it reaches the database, or cancelled there. A client can " +
				"ask for less by `Prefer: wait=SECONDS` (RFC 7240). Streams (NDJSON and CSV in rows) are not bound by it.",
		},
		{
			name: "degrade", own: true, defaultNote: "none", reloadable: true,
			bind: func(c *Config) value { return mapping{&c.Degrade, "levels by feature", rest.CheckDegradation} },
			doc: "What is switched off under overload: a mapping from a feature to the level from which it is off. At level 1 work of the tier background is being refused, at 2 " +
				"sheddable, at 3 that of the tier default. `count-exact`: answers come without the total. `embeds-over-N`: requests that embed deeper than N get 503. " +
				"`rpc-TIER`: so do function calls of that tier and less important ones. `streams`: so do NDJSON and CSV in rows.",
		},
	}
}

func checkPriority(route, tier string) error {
	_, err := priority.New(priority.Options{Routes: map[string]string{route: tier}})
	return err
}
