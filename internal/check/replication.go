package check

import (
	"context"
	"fmt"
	"strings"
)

// replication looks at what change events need: they come from the write-ahead log.
func (i inspection) replication(ctx context.Context) error {
	var level string
	var slots, usedSlots, senders, usedSenders int
	var may bool
	err := i.row(ctx, `
		select current_setting('wal_level'),
		       current_setting('max_replication_slots')::int, (select count(*)::int from pg_replication_slots),
		       current_setting('max_wal_senders')::int, (select count(*)::int from pg_stat_replication),
		       (select rolreplication or rolsuper from pg_roles where rolname = session_user)`, nil,
		&level, &slots, &usedSlots, &senders, &usedSenders, &may)
	if err != nil {
		return err
	}
	const cost = "no exact cache invalidation and no row events"
	if level == "logical" {
		i.report.ok("wal_level", "%s", level)
	} else {
		i.report.add(Finding{"wal_level", Warn, level, cost, "ALTER SYSTEM SET wal_level = logical, and restart the server"})
	}
	if may {
		i.report.ok("replication right", "yes")
	} else {
		i.report.add(Finding{"replication right", Warn, "no", cost, "ALTER ROLE <the user of db-uri> REPLICATION"})
	}
	i.free("replication slots", "max_replication_slots", slots, usedSlots, cost)
	i.free("WAL senders", "max_wal_senders", senders, usedSenders, cost)
	return nil
}

func (i inspection) free(name, setting string, all, used int, cost string) {
	found := fmt.Sprintf("%d of %d in use", used, all)
	if used < all {
		i.report.ok(name, "%s", found)
		return
	}
	i.report.add(Finding{name, Warn, found, cost, "raise " + setting + ", and restart the server"})
}

// extensions looks for what the advice on slow queries and indexes is drawn from.
func (i inspection) extensions(ctx context.Context) error {
	for _, e := range []struct{ name, cost, fix string }{
		{"pg_stat_statements", "no ranking of queries by time spent",
			"add it to shared_preload_libraries, restart the server, and CREATE EXTENSION pg_stat_statements"},
		{"hypopg", "index advice cannot be tried out beforehand", "install the server's package hypopg, and CREATE EXTENSION hypopg"},
	} {
		var available bool
		var installed string
		err := i.row(ctx, `
			select exists (select from pg_available_extensions where name = $1),
			       coalesce((select extversion from pg_extension where extname = $1), '')`, []any{e.name}, &available, &installed)
		switch {
		case err != nil:
			return err
		case installed != "":
			i.report.ok(e.name, "%s", installed)
		case available:
			_, create, _ := strings.Cut(e.fix, "and CREATE")
			i.report.add(Finding{e.name, Warn, "available, not created in this database", e.cost, "CREATE" + create})
		default:
			i.report.add(Finding{e.name, Warn, "missing", e.cost, e.fix})
		}
	}
	return nil
}
