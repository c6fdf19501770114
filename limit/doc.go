// Package limit keeps an upstream, such as a pool of database connections or a service, from being asked for more than it
// can do, and decides who is served when not all can be. It knows neither HTTP nor SQL.
//
// A Limiter is the only queue before one upstream. Where it has room, that costs well below a microsecond, and no
// allocation:
//
//	permit, _, err := limiter.Acquire(ctx, limit.Ask{Priority: limit.Priority{Tier: limit.Default}})
//	... // err is a *limit.ShedError: answer "try again later"; else do the work
//	permit.Release(limit.Outcome{Took: took, Shape: shape})
//
// How much may be under way, it learns from how much slower the work becomes: see Baseline. Who waits is served by tier,
// the newest first under overload, and is told early when his turn will not come in time. Kinds of work have shares of
// their own, so that none crowds out another, and may borrow what others leave.
//
// A Throttle is for an upstream that refuses: it spares it most of the requests that would fail.
//
// Quotas are rate limits by GCRA, any number of them decided together, whose counts several processes can share.
//
// Buffers are a budget of bytes for what is held in memory meanwhile, and Memory tells when the process as a whole has too little left.
//
// A RetryBudget says how often what has failed may be tried again, so that retries do not become the load.
//
// It does not measure how long work takes: who has a permit tells that. What processes share goes through QuotaOptions.Shared.
//
// It imports no package of this module. Imported by pg, replicas, rest, priority, ratelimit, redis and the root package, and by Go programs.
package limit
