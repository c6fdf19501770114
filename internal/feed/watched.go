package feed

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// watchedTables are the tables with the installation's trigger, as it was installed: after all statements of all kinds, in
// all sessions. Those that subscriptions write to are left out, as the subscriber's worker fires no triggers for statements
// (https://www.postgresql.org/docs/current/logical-replication-architecture.html#LOGICAL-REPLICATION-ARCHITECTURE).
const watchedTables = `
select g.tgrelid
from pg_trigger g join pg_class c on c.oid = g.tgrelid join pg_proc p on p.oid = g.tgfoid join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'slipstream' and p.proname = 'cache_changed' and g.tgenabled = 'A' and g.tgqual is null and g.tgattr = ''
	and g.tgtype = 4 | 8 | 16 | 32 -- insert, delete, update, truncate (https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_trigger.h)
	and c.relkind in ('r', 'p') and c.relpersistence = 'p'
	and not exists (select from pg_subscription_rel s where s.srrelid = g.tgrelid)`

// readWatched reads the tables of which every write is told: those that are watched, as all are that they are part of.
func readWatched(ctx context.Context, tx pgx.Tx, c *catalog) error {
	rows, err := tx.Query(ctx, watchedTables)
	if err != nil {
		return err
	}
	watched := map[uint32]bool{}
	var oid uint32
	if _, err := pgx.ForEachRow(rows, []any{&oid}, func() error { watched[oid] = true; return nil }); err != nil {
		return err
	}
	if rows, err = tx.Query(ctx, "select inhparent, inhrelid from pg_inherits"); err != nil {
		return err
	}
	children, parents := map[uint32][]uint32{}, map[uint32][]uint32{}
	var parent, child uint32
	_, err = pgx.ForEachRow(rows, []any{&parent, &child}, func() error {
		children[parent] = append(children[parent], child)
		parents[child] = append(parents[child], parent)
		return nil
	})
	for oid := range watched {
		if !slices.ContainsFunc(closure(parents, oid), func(above uint32) bool { return !watched[above] }) {
			c.tables[oid] = &published{member: oid}
		}
		c.below[oid] = closure(children, oid)
	}
	return err
}

// closure is all that can be reached from a table, but not itself. There are several ways where tables inherit from several.
func closure(next map[uint32][]uint32, from uint32) (reached []uint32) {
	seen := map[uint32]bool{from: true}
	for at, i := from, 0; ; i++ {
		for _, oid := range next[at] {
			if !seen[oid] {
				seen[oid] = true
				reached = append(reached, oid)
			}
		}
		if i == len(reached) {
			return reached
		}
		at = reached[i]
	}
}

// readCatalog implements source.
func (l *listener) readCatalog(ctx context.Context) (*catalog, error) {
	return readWatchedCatalog(ctx, l.conn)
}

func readWatchedCatalog(ctx context.Context, conn *pgx.Conn) (*catalog, error) {
	c := &catalog{tables: map[uint32]*published{}, below: map[uint32][]uint32{}}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		if err := readWatched(ctx, tx, c); err != nil {
			return err
		}
		return c.readMaterialized(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("read the watched tables: %w", err)
	}
	return c, nil
}
