package slipstream

import (
	"context"
	"strings"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// preflight reports whether the database is prepared for one of the modes, and if not, what is missing for each.
func preflight(ctx context.Context, cfg Config) (possible bool, reason string) {
	var reasons []string
	for _, mode := range feed.Modes(cfg.CacheMode) {
		problems, err := feed.Preflight(ctx, cfg.feedDSN(), mode)
		if err != nil {
			return false, "the database cannot be asked: " + strings.Join(strings.Fields(pg.HideDSN(err).Error()), " ")
		}
		if problems = cfg.followable(problems); len(problems) == 0 {
			return true, ""
		}
		texts := make([]string, len(problems))
		for i, p := range problems {
			texts[i] = p.Error()
		}
		reasons = append(reasons, strings.Join(texts, "; "))
	}
	return false, strings.Join(reasons, "; or, by table: ")
}
