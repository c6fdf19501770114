package feed

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// Table is a published table, by what its updates and deletions tell of the old row.
type Table struct {
	// Identity are the attribute numbers of the replica identity's columns; nil where Full.
	Identity []int16
	// Full is set where they tell all of the old row (REPLICA IDENTITY FULL).
	Full bool
}

// catalog is what the publication had at one moment.
type catalog struct {
	snapshot pg.Snapshot
	// begun is a transaction id above those of all transactions that had begun. That is more than snapshot.Xmax tells.
	begun uint64
	// generation is the number of schema changes that had been delivered when it was read.
	generation uint64
	tables     map[uint32]*published
	// below are the tables that a statement on a table may write to, besides itself; nil in the mode WAL.
	below map[uint32][]uint32
}

type published struct {
	Table
	// member is the OID of the table's entry in the publication: another one after it was out of it in between.
	member  uint32
	columns []column
	// floor is the transaction id below which there may be a transaction that wrote to the table before it was
	// published, which leaves these changes out of the stream.
	floor uint64
}

// column is one that the stream has: neither dropped nor generated.
type column struct {
	number  int16
	name    string
	typeOID uint32
}

// locate finds the columns of the stream's relation in the table's rows, which are width values wide. There are no
// positions unless both agree on all columns: the stream tells how the table was, the catalog how it is.
func (c *catalog) locate(oid uint32, columns []relationColumn) (position []int, width int) {
	t := c.tables[oid]
	if t == nil || len(t.columns) != len(columns) {
		return nil, 0
	}
	position = make([]int, len(columns))
	for i, have := range t.columns {
		if have.name != columns[i].name || have.typeOID != columns[i].typeOID {
			return nil, 0
		}
		position[i] = int(have.number) - 1
		width = max(width, int(have.number))
	}
	return position, width
}

// reliable are the tables that no unfinished transaction may have written to before they were published, given the
// oldest transaction that a heartbeat saw running.
func (c *catalog) reliable(xmin uint64) map[uint32]Table {
	tables := make(map[uint32]Table, len(c.tables))
	for oid, t := range c.tables {
		if t.floor <= xmin {
			tables[oid] = t.Table
		}
	}
	return tables
}

// readCatalog reads the publication's tables. Those with a list of columns or a row filter are left out: their stream
// has gaps.
func readCatalog(ctx context.Context, conn *pgx.Conn, publication string) (*catalog, error) {
	c := &catalog{tables: map[uint32]*published{}}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		var text string
		const now = `select pg_current_snapshot()::text, pg_current_xact_id()::text::int8`
		if err := tx.QueryRow(ctx, now).Scan(&text, &c.begun); err != nil {
			return err
		}
		var err error
		if c.snapshot, err = pg.ParseSnapshot(text); err != nil {
			return err
		}
		var all bool
		if err := tx.QueryRow(ctx, "select "+publishesAll, publication).Scan(&all); err != nil {
			return err
		}
		if !all {
			return publishesPart
		}
		if err := c.readTables(ctx, tx, publication); err != nil {
			return err
		}
		return c.readMaterialized(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("read the published tables: %w", err)
	}
	return c, nil
}

// publishedTables has a row per column. The row filter and the list of columns are read through JSON: before
// PostgreSQL 15, there are none.
const publishedTables = `
select r.prrelid, r.oid, c.relreplident = 'f',
       a.attnum, a.attname::text, a.atttypid, coalesce(a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]), false)
from pg_publication p
join pg_publication_rel r on r.prpubid = p.oid
join pg_class c on c.oid = r.prrelid and c.relkind = 'r'
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
left join pg_index i on i.indrelid = c.oid and i.indimmediate and i.indisvalid
	and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
where p.pubname = $1 and (c.relreplident = 'f' or i.indexrelid is not null)
  and to_jsonb(r) ->> 'prqual' is null and to_jsonb(r) ->> 'prattrs' is null
order by r.prrelid, a.attnum`

func (c *catalog) readTables(ctx context.Context, tx pgx.Tx, publication string) error {
	rows, err := tx.Query(ctx, publishedTables, publication)
	if err != nil {
		return err
	}
	var oid, member uint32
	var full, inIdentity bool
	var col column
	_, err = pgx.ForEachRow(rows, []any{&oid, &member, &full, &col.number, &col.name, &col.typeOID, &inIdentity}, func() error {
		t := c.tables[oid]
		if t == nil {
			t = &published{Table: Table{Full: full}, member: member}
			c.tables[oid] = t
		}
		t.columns = append(t.columns, col)
		if inIdentity {
			t.Identity = append(t.Identity, col.number)
		}
		return nil
	})
	return err
}

// materializedViews are told of by event triggers, where these are of an installation that does so.
const materializedViews = `
select c.oid from pg_class c
where c.relkind = 'm' and ` + triggersInstalled + `
  and exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'slipstream' and p.proname = 'cache_refreshed')`

// readMaterialized adds the materialised views, which are changed as a whole.
func (c *catalog) readMaterialized(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, materializedViews)
	if err != nil {
		return err
	}
	var oid uint32
	_, err = pgx.ForEachRow(rows, []any{&oid}, func() error {
		c.tables[oid] = &published{member: oid}
		return nil
	})
	return err
}

// floors remembers since when the publication's entries are known.
type floors map[uint32]uint64

// set gives each table of the catalog the floor that its entry had when it was first seen, and forgets all others.
func (f floors) set(c *catalog) {
	members := make([]uint32, 0, len(c.tables))
	for _, t := range c.tables {
		floor, known := f[t.member]
		if !known {
			floor = c.begun
			f[t.member] = floor
		}
		t.floor = floor
		members = append(members, t.member)
	}
	slices.Sort(members)
	for member := range f {
		if _, found := slices.BinarySearch(members, member); !found {
			delete(f, member)
		}
	}
}
