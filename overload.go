package slipstream

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/priority"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// memoryLevel is the level of overload for want of memory: see rest.Options.Level. When it is critical, nobody gets as far as that.
func (s *Server) memoryLevel() int {
	if s.memory.Level() >= limit.MemoryShort {
		return 2
	}
	return 0
}

// overload says how the data API deals with more requests than can be served.
func (c Config) overload(s *Server, o *rest.Options) error {
	from := priority.Options{Routes: c.Priorities, Claim: c.PriorityClaim, Tenant: c.TenantClaim}
	if len(c.ServerTrustedProxies) > 0 {
		addresses := c.addresses()
		from.Address = addresses.Of
	}
	rules, err := priority.New(from)
	if err != nil {
		return fmt.Errorf("priorities: %w", err)
	}
	o.Priority = func(r *http.Request, caller *auth.Caller) (limit.Priority, uint64) {
		return rules.Of(r, caller, time.Now())
	}
	if !c.DisableMemoryGuard {
		o.Level = s.memoryLevel
	}
	o.Timeout = c.RequestTimeout
	if o.Degradation, err = rest.ParseDegradation(c.Degrade); err != nil {
		return fmt.Errorf("degrade: %w", err)
	}
	return nil
}

// EffectiveLimits says in sentences what bounds the server's work, with the defaults that depend on the machine.
func (c Config) EffectiveLimits() []string {
	c = c.WithDefaults()
	database := fmt.Sprintf("the database does up to %d requests at a time, in the order in which they come; they wait for %v at most", c.DBPool, c.DBPoolAcquisitionTimeout)
	if !c.DisableOverloadProtection {
		var shares []string
		sum := 0
		for _, class := range rest.Classes() {
			share := max(1, int(class.Share*float64(c.DBPool)+0.001))
			sum += share
			shares = append(shares, fmt.Sprintf("%s %d", class.Name, share))
		}
		database = fmt.Sprintf("the database does up to %d requests at a time, fewer when it gets slow; ", c.DBPool)
		if sum > c.DBPool {
			database += "that is too few for reads, writes, rpc and own routes to have a share each, which takes a db-pool of " + strconv.Itoa(len(shares))
		} else {
			database += "what others leave may be borrowed, and of these there are at least for " + strings.Join(shares, ", ")
		}
	}
	deadline := "requests may take as long as they like; request-timeout bounds them"
	if c.RequestTimeout > 0 {
		deadline = fmt.Sprintf("requests may take %v", c.RequestTimeout)
	}
	connections := c.connectionLimits().WithDefaults()
	const mebibyte = 1 << 20
	return []string{
		database,
		deadline,
		fmt.Sprintf("clients may have %d connections, those of an address %d", connections.Total, connections.PerAddress),
		fmt.Sprintf("bodies and large answers may take %d MiB together", c.bufferMemory(limit.NewMemory(limit.MemoryOptions{}))/mebibyte),
	}
}

// watchLimiters has what requests wait for among the metrics.
func (s *Server) watchLimiters() error {
	err := s.metrics.WatchLimiters(func() []telemetry.LimiterStats {
		all := []telemetry.LimiterStats{limiterStats("primary", s.db)}
		if s.replicas != nil {
			for i := range s.replicas.Len() {
				all = append(all, limiterStats(s.replicas.Name(i), s.replicas.DB(i)))
			}
		}
		return all
	})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func limiterStats(upstream string, db *pg.DB) telemetry.LimiterStats {
	l := db.Limiter()
	s := l.Stats()
	out := telemetry.LimiterStats{Upstream: upstream, Level: l.Level(), Admitted: 1}
	out.Throttled, out.Refusals = db.Throttled()
	for _, c := range s.Classes {
		out.Admitted = min(out.Admitted, c.Admitted)
		out.Classes = append(out.Classes, telemetry.ClassStats{Name: c.Name, Limit: c.Limit, InFlight: c.InFlight, Queued: c.Queued})
	}
	for t := limit.Critical; t <= limit.Background; t++ {
		for r := limit.LowPriority; r <= limit.WaitOver; r++ {
			out.Sheds = append(out.Sheds, telemetry.ShedStats{Tier: t.String(), Reason: r.String(), Count: s.Shed(t, r)})
		}
	}
	return out
}
