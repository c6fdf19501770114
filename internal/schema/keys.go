package schema

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// tableKey is a primary key or unique constraint: column numbers and names in key order.
type tableKey struct {
	numbers []int16
	names   []string
}

// foreignKey is a foreign key of any schema; the columns of both sides pair up by position.
type foreignKey struct {
	name           string
	origin, target keySide
	// unique is true when the origin's columns are a primary key or unique constraint of the origin.
	unique bool
}

// keySide is a key of a relation that may be in any schema.
type keySide struct {
	oid      uint32
	relation Name
	tableKey
}

// keysSQL reads the primary keys and unique constraints of all schemas: views
// of the exposed schemas may be made of tables that are not.
const keysSQL = `
select k.conrelid, n.nspname::text, c.relname::text, k.contype = 'p', k.conkey,
       array(select a.attname::text
             from unnest(k.conkey) with ordinality as u (num, ord)
             join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num
             order by u.ord)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype in ('p', 'u')
  and k.connamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`

func (l *loader) keys(ctx context.Context, q pg.Querier) error {
	l.uniques = make(map[uint32][]tableKey)
	return each(ctx, q, keysSQL, nil, func(rows pg.Rows) error {
		var k keySide
		var primary bool
		if err := rows.Scan(&k.oid, &k.relation.Schema, &k.relation.Name, &primary, &k.numbers, &k.names); err != nil {
			return err
		}
		l.uniques[k.oid] = append(l.uniques[k.oid], k.tableKey)
		if primary {
			l.primary = append(l.primary, k)
			if r := l.byOID[k.oid]; r != nil {
				r.PrimaryKey = k.names
			}
		}
		return nil
	})
}

// compareKeys puts the shortest key first: it makes the cheapest cursor.
func compareKeys(a, b []string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), slices.CompareFunc(a, b, strings.Compare))
}

// foreignKeysSQL reads the foreign keys of all schemas, without the copies that
// PostgreSQL makes for partitions.
const foreignKeysSQL = `
select k.conname::text,
       k.conrelid, n1.nspname::text, c1.relname::text, k.conkey,
       array(select a.attname::text
             from unnest(k.conkey) with ordinality as u (num, ord)
             join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num
             order by u.ord),
       k.confrelid, n2.nspname::text, c2.relname::text, k.confkey,
       array(select a.attname::text
             from unnest(k.confkey) with ordinality as u (num, ord)
             join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num
             order by u.ord)
from pg_constraint k
join pg_class c1 on c1.oid = k.conrelid
join pg_namespace n1 on n1.oid = c1.relnamespace
join pg_class c2 on c2.oid = k.confrelid
join pg_namespace n2 on n2.oid = c2.relnamespace
where k.contype = 'f' and k.conparentid = 0`

func (l *loader) foreignKeys(ctx context.Context, q pg.Querier) error {
	return each(ctx, q, foreignKeysSQL, nil, func(rows pg.Rows) error {
		var k foreignKey
		o, t := &k.origin, &k.target
		err := rows.Scan(&k.name,
			&o.oid, &o.relation.Schema, &o.relation.Name, &o.numbers, &o.names,
			&t.oid, &t.relation.Schema, &t.relation.Name, &t.numbers, &t.names)
		if err != nil {
			return err
		}
		k.unique = slices.ContainsFunc(l.uniques[o.oid], func(u tableKey) bool {
			return sameColumns(u.numbers, o.numbers)
		})
		l.foreign = append(l.foreign, k)
		return nil
	})
}

// sameColumns compares two keys regardless of the order of their columns.
func sameColumns(a, b []int16) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
