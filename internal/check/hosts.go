package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// hosts tells which of several hosts is the primary, and whether another one could take over.
func (i inspection) hosts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	hosts, err := pg.Hosts(ctx, i.options.DSN)
	if err != nil || len(hosts) == 0 {
		return err
	}
	primaries, away := 0, 0
	var found []string
	for _, h := range hosts {
		switch {
		case h.Err != nil:
			away++
			found = append(found, h.Name+" cannot be reached")
		case h.Standby:
			found = append(found, h.Name+" is a standby")
		default:
			primaries++
			found = append(found, fmt.Sprintf("%s is a primary, on timeline %d", h.Name, h.Timeline))
		}
	}
	value := strings.Join(found, "; ")
	switch {
	case primaries == 0:
		i.report.add(Finding{"hosts", Fail, value, "nothing can be written, and nothing is served",
			"promote a standby, or name the primary in db-uri; target_session_attrs=any there takes any server"})
	case primaries > 1:
		i.report.add(Finding{"hosts", Warn, value, "the latest timeline is taken for the primary's; what others write into the rest is lost to it",
			"stop the others, or make them standbys"})
	case away > 0:
		i.report.add(Finding{"hosts", Warn, value, "it cannot take over", "start it, or leave it out of db-uri"})
	default:
		i.report.ok("hosts", "%s", value)
	}
	return nil
}
