package schema

import (
	"context"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// relationsSQL reads the relations of the exposed schemas. Partitions are left
// out: they are reached through their parent, as PostgREST has it. The bits of
// changes are pg_relation_is_updatable's: 1 << CmdType (update 2, insert 3, delete 4). It fails for a foreign table
// whose wrapper has no handler, which must not keep everything else from loading.
//
// A plain table is one where an INSERT calls no function but PostgreSQL's own, whose dependencies it does not record.
const relationsSQL = `
select c.oid, n.nspname::text, c.relname::text, c.relkind::text, coalesce(d.description, ''),
       case when c.relkind in ('r', 'p') then 28
            when c.relkind = 'm' or w.fdwhandler = 0 then 0
            else pg_relation_is_updatable(c.oid, true)
       end as changes,
       c.relkind = 'r' and not c.relhasrules
         and not exists (select from pg_trigger t where t.tgrelid = c.oid and (not t.tgisinternal or t.tgdeferrable))
         and not exists (select from pg_constraint k where k.conrelid = c.oid and k.condeferrable)
         and not exists (
           select from (
             select 'pg_attrdef'::regclass::oid as classid, a.oid from pg_attrdef a where a.adrelid = c.oid union all
             select 'pg_constraint'::regclass, k.oid from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' union all
             select 'pg_policy'::regclass, p.oid from pg_policy p where p.polrelid = c.oid
           ) part
           join pg_depend d on d.classid = part.classid and d.objid = part.oid
           where d.refclassid = 'pg_proc'::regclass
              or d.refclassid = 'pg_class'::regclass and d.classid = 'pg_policy'::regclass and d.refobjid <> c.oid
         ) as plain
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_description d on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
left join pg_foreign_table ft on ft.ftrelid = c.oid
left join pg_foreign_server fs on fs.oid = ft.ftserver
left join pg_foreign_data_wrapper w on w.oid = fs.srvfdw
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not c.relispartition
  and n.nspname = any ($1)
  and n.nspname not in ('pg_catalog', 'information_schema')`

const (
	canUpdate = 1 << 2
	canInsert = 1 << 3
	canDelete = 1 << 4
)

func (l *loader) relations(ctx context.Context, q pg.Querier) error {
	l.snapshot.Relations = make(map[Name]*Relation)
	l.byOID = make(map[uint32]*Relation)
	return each(ctx, q, relationsSQL, []any{l.options.Schemas}, func(rows pg.Rows) error {
		r := &Relation{}
		var kind string
		var changes int
		if err := rows.Scan(&r.OID, &r.Name.Schema, &r.Name.Name, &kind, &r.Description, &changes, &r.Plain); err != nil {
			return err
		}
		r.Kind = Kind(kind[0])
		r.Name.Schema = l.intern(r.Name.Schema)
		r.Insertable = changes&canInsert != 0
		r.Updatable = changes&canUpdate != 0
		r.Deletable = changes&canDelete != 0
		l.snapshot.Relations[r.Name] = r
		l.byOID[r.OID] = r
		return nil
	})
}

// columnsSQL reads the columns of those relations. A column's type is without
// its modifier when it is one of PostgreSQL's own (character varying), because
// a cast to character varying(10) cuts values silently; the nominal type keeps it.
const columnsSQL = `
with recursive domains as (
  select oid, typbasetype as base from pg_type where typtype = 'd'
  union all
  select d.oid, t.typbasetype from domains d join pg_type t on t.oid = d.base where t.typtype = 'd'
), bases as (
  select d.oid, d.base, t.typnamespace
  from domains d join pg_type t on t.oid = d.base
  where t.typtype <> 'd'
)
select a.attrelid, a.attname::text, coalesce(d.description, ''),
       case when coalesce(b.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace
            then format_type(coalesce(b.base, t.oid), null)
            else format_type(a.atttypid, a.atttypmod)
       end as type,
       format_type(a.atttypid, a.atttypmod) as nominal,
       coalesce(b.base, t.oid) as base,
       not (a.attnotnull or t.typtype = 'd' and t.typnotnull) as nullable,
       coalesce(case
         when t.typtype = 'd' and ad.adbin is null then pg_get_expr(t.typdefaultbin, 0)
         when a.attidentity = 'd' then format('nextval(%L)', seq.objid::regclass)
         when a.attgenerated <> '' then null
         else pg_get_expr(ad.adbin, ad.adrelid)
       end, '') as default_expr,
       a.attidentity <> '' or a.attgenerated <> '' as generated,
       coalesce(case
         when l.typmod = -1 then 0
         when l.typid in (1042, 1043) then l.typmod - 4 -- character(n), character varying(n)
         when l.typid in (1560, 1562) then l.typmod     -- bit(n), bit varying(n)
       end, 0) as max_length,
       a.attnum, coalesce(not co.collisdeterministic, false) as loose
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
left join bases b on b.oid = t.oid
cross join lateral (
  select case t.typtype when 'd' then t.typbasetype else a.atttypid end as typid,
         case t.typtype when 'd' then t.typtypmod else a.atttypmod end as typmod
) l
left join pg_collation co on co.oid = a.attcollation
left join pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
left join pg_description d on d.objoid = a.attrelid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
left join pg_depend seq on a.attidentity = 'd' and seq.deptype = 'i'
  and seq.classid = 'pg_class'::regclass and seq.refclassid = 'pg_class'::regclass
  and seq.refobjid = a.attrelid and seq.refobjsubid = a.attnum
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not c.relispartition
  and n.nspname = any ($1)
order by a.attrelid, a.attnum`

const enumsSQL = `select enumtypid, enumlabel::text from pg_enum order by enumtypid, enumsortorder`

func (l *loader) columns(ctx context.Context, q pg.Querier) error {
	l.enums = make(map[uint32][]string)
	err := each(ctx, q, enumsSQL, nil, func(rows pg.Rows) error {
		var oid uint32
		var label string
		if err := rows.Scan(&oid, &label); err != nil {
			return err
		}
		l.enums[oid] = append(l.enums[oid], label)
		return nil
	})
	if err != nil {
		return err
	}
	return each(ctx, q, columnsSQL, []any{l.options.Schemas}, func(rows pg.Rows) error {
		var c Column
		var relation, base uint32
		err := rows.Scan(&relation, &c.Name, &c.Description, &c.Type, &c.NominalType, &base,
			&c.Nullable, &c.Default, &c.Generated, &c.MaxLength, &c.Number, &c.Loose)
		if err != nil {
			return err
		}
		c.Name, c.Type, c.NominalType = l.intern(c.Name), l.intern(c.Type), l.intern(c.NominalType)
		c.Enum = l.enums[base]
		if r := l.byOID[relation]; r != nil {
			r.add(c)
		}
		return nil
	})
}
