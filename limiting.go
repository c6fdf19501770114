package slipstream

import (
	"context"
	"slices"

	"github.com/slipstream-go/slipstream/internal/ratelimit"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/limit"
)

// limiting counts what rate limits are about, whatever the configuration in force says of them.
type limiting struct {
	quotas *limit.Quotas
	shared *redis.Limits // nil where each instance counts by itself
}

// newLimiting makes it. It asks nobody before run.
func (s *Server) newLimiting(cfg Config) (l limiting, err error) {
	o := limit.QuotaOptions{Slack: cfg.LimitsTimeout, Asked: s.metrics.RateLimitAsked}
	switch cfg.LimitsAway {
	case "whole":
		o.Away = limit.UseWhole
	case "refuse":
		o.Away = limit.RefuseAll
	}
	if s.redis != nil && cfg.LimitsStore != "local" {
		if l.shared, err = s.redis.Limits(cfg.sharedKey("limits"), cfg.LimitsTimeout); err != nil {
			return l, err
		}
		o.Shared = l.shared
		err = s.metrics.GaugeFunc("slipstream_ratelimit_instances", "Instances that share the counts of rate limits, as far as is known.",
			func() float64 { return float64(l.shared.Instances()) })
	}
	l.quotas = limit.NewQuotas(o)
	return l, err
}

// limit makes the limits of a configuration, which go on from what those of the previous one have counted.
func (s *Server) limit(cfg Config, previous *serving) *ratelimit.Limits {
	o := ratelimit.Options{Addresses: cfg.addresses(), Verbosity: cfg.verbosity(), Metrics: s.metrics}
	for _, l := range cfg.Limits {
		o.Policies = append(o.Policies, ratelimit.Policy{
			Name: l.Name, Rate: l.rate(), By: l.By, Routes: l.Routes, Methods: l.Methods, Roles: l.Roles, Cost: l.Cost,
			FailedTokens: l.Count == failedTokens, DryRun: l.DryRun,
		})
	}
	var before *ratelimit.Limits
	if previous != nil {
		before = previous.limits
	}
	return ratelimit.New(o, s.limiting.quotas, before)
}

// addresses says where requests come from, behind proxies that are trusted.
func (c Config) addresses() ratelimit.Addresses {
	trusted, _ := c.trustedProxies() // validated
	return ratelimit.Addresses{
		Trusted: trusted, TrustSocket: slices.Contains(c.ServerTrustedProxies, trustedSocket),
		Header: c.ServerTrustedHeader, IPv6: c.LimitsIPv6Prefix,
	}
}

// countInstances has this instance counted among those that share, while it has limits.
func (s *Server) countInstances(ctx context.Context) {
	s.limiting.shared.Run(ctx, func() bool { return s.current.Load().limits != nil })
}
