package schema

import (
	"context"
	"slices"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// indexesSQL reads the indexes of all schemas that serve any row: valid ones that are not partial. Views of the exposed
// schemas may be made of tables that are not. An expression among the columns has the number 0 and no name.
//
// An index identifies every row at any moment when it is unique and not deferrable, without expressions, on NOT NULL
// columns.
const indexesSQL = `
select i.indrelid, (i.indkey::int2[])[0:i.indnkeyatts - 1],
       array(select coalesce(a.attname::text, '')
             from unnest(i.indkey::int2[]) with ordinality as u (num, ord)
             left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.num
             where u.ord <= i.indnkeyatts
             order by u.ord),
       i.indisunique and i.indimmediate and not i.indisprimary and i.indexprs is null
         and not exists (select from pg_attribute a
                         where a.attrelid = i.indrelid and not a.attnotnull
                           and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
from pg_index i
join pg_class c on c.oid = i.indrelid
where i.indisvalid and i.indpred is null and c.relkind in ('r', 'p', 'm') and not c.relispartition
  and c.relnamespace not in ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace, 'information_schema'::regnamespace)`

// tableIndex are the leading columns of an index, up to the first expression.
type tableIndex struct {
	oid     uint32
	numbers []int16
}

func (l *loader) readIndexes(ctx context.Context, q pg.Querier) error {
	err := each(ctx, q, indexesSQL, nil, func(rows pg.Rows) error {
		var i tableIndex
		var names []string
		var unique bool
		if err := rows.Scan(&i.oid, &i.numbers, &names, &unique); err != nil {
			return err
		}
		for n := range names {
			names[n] = l.intern(names[n])
		}
		r := l.byOID[i.oid]
		if r != nil && unique && !slices.Equal(names, r.PrimaryKey) {
			r.UniqueKeys = append(r.UniqueKeys, names)
		}
		if n := slices.Index(i.numbers, 0); n >= 0 {
			i.numbers, names = i.numbers[:n], names[:n]
		}
		if len(names) == 0 {
			return nil
		}
		l.indexes = append(l.indexes, i)
		if r != nil {
			r.Indexes = append(r.Indexes, names)
		}
		return nil
	})
	for _, r := range l.byOID {
		r.UniqueKeys = sortKeys(r.UniqueKeys)
	}
	return err
}

// setIndexes gives every view the indexes of its tables that it shows, as far as it shows their columns.
func (l *loader) setIndexes() {
	for _, i := range l.indexes {
		for _, view := range l.viewDeps.of[i.oid] {
			if view.Kind == View { // a materialised one has rows of its own
				view.Indexes = append(view.Indexes, l.viewDeps.shownIndex(view, i)...)
			}
		}
	}
	for _, r := range l.byOID {
		r.Indexes = sortKeys(r.Indexes)
	}
}

// shownIndex are the leading columns of an index that a view shows, in all combinations.
func (d *viewDependencies) shownIndex(view *Relation, i tableIndex) [][]string {
	for n := len(i.numbers); n > 0; n-- {
		if columns, ok := d.key(view, i.oid, i.numbers[:n]); ok {
			return columns
		}
	}
	return nil
}

func sortKeys(keys [][]string) [][]string {
	slices.SortFunc(keys, compareKeys)
	return slices.CompactFunc(keys, slices.Equal[[]string])
}
