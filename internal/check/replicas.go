package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// replicas looks at each of them: whether it is a standby of the database, and how far behind.
func (i inspection) replicas(ctx context.Context) error {
	for n, dsn := range i.options.Replicas {
		name := fmt.Sprintf("replica %d", n+1)
		eye, err := feed.NewStandby(dsn)
		if err != nil {
			return err // validated
		}
		name += " (" + eye.Name() + ")"
		found, fix := i.replica(ctx, eye)
		eye.Close()
		if found != "" {
			i.report.add(Finding{name, Warn, found, "nothing is read from it", fix})
		} else {
			i.report.ok(name, "%s", fix)
		}
	}
	return nil
}

// replica says what keeps a server from being read from and what to do about it, or else what is known of it.
func (i inspection) replica(ctx context.Context, eye *feed.Standby) (found, fix string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	sight, err := eye.Look(ctx)
	if err != nil {
		return strings.Join(strings.Fields(pg.HideDSN(err).Error()), " "), "correct db-replicas, and see that the server runs and admits this user from here"
	}
	var system, database, missing string
	var timeline uint32
	err = i.row(ctx, `select (select system_identifier from pg_control_system())::text, current_database(),
		pg_size_pretty(greatest(pg_current_wal_flush_lsn() - ('0/0'::pg_lsn + $1::text::numeric), 0)),
		('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int`,
		[]any{fmt.Sprint(sight.Replayed)}, &system, &database, &missing, &timeline)
	switch {
	case err != nil:
		return "the primary cannot be compared with it: " + err.Error(), "correct db-uri"
	case !sight.Recovering:
		return "it is no standby", "name a streaming standby of the server of db-uri"
	case system != fmt.Sprint(int64(sight.System)):
		return "it is not of the cluster of db-uri", "name a streaming standby of that server"
	case sight.Timeline != timeline && sight.Vague:
		return fmt.Sprintf("it was on timeline %d at its last restartpoint, and the primary is on %d", sight.Timeline, timeline),
			"ALTER ROLE <the user of db-uri> REPLICATION, to see which one it is on now"
	case sight.Timeline != timeline:
		return fmt.Sprintf("it is on timeline %d, and the primary on %d", sight.Timeline, timeline), "have it follow the primary: make it anew by pg_basebackup, or see pg_rewind"
	case sight.Database != database:
		return "it is asked for the database " + sight.Database + ", not " + database, "correct the end of its URI"
	}
	fix = fmt.Sprintf("a standby on timeline %d, %s of the log behind", sight.Timeline, missing)
	if sight.Vague {
		fix += "; without the right REPLICATION it does not fill the cache, and is found out late after a failover"
	}
	return "", fix
}
