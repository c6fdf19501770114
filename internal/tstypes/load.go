package tstypes

import (
	"context"
	"fmt"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Generate connects to dsn and returns a TypeScript module that describes the schemas, which are those that a server
// would expose. The first is the default one of the helper types.
func Generate(ctx context.Context, dsn string, schemas []string) (string, error) {
	conn, err := pg.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return "", fmt.Errorf("read the catalog: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, "set transaction isolation level repeatable read, read only"); err != nil {
		return "", fmt.Errorf("read the catalog: %w", err)
	}
	g := generator{schemas: schemas}
	if g.snapshot, err = schema.Load(ctx, tx, schema.Options{Schemas: schemas, ExtraSearchPath: schemas}); err != nil {
		return "", fmt.Errorf("read the catalog: %w", err)
	}
	if err := g.loadTypes(ctx, tx); err != nil {
		return "", fmt.Errorf("read types: %w", err)
	}
	if err := g.loadComputed(ctx, tx); err != nil {
		return "", fmt.Errorf("read computed fields: %w", err)
	}
	return g.module(), nil
}

// pgType is a row of pg_type.
type pgType struct {
	name schema.Name
	// kind is pg_type.typtype, or "array".
	kind string
	// of is the element type of an array and the base type of a domain, as format_type has it.
	of string
	// labels of an enum.
	labels []string
	// attributes of a composite type that is no relation's.
	attributes []schema.Param
	// json is true for types that have a cast to json of their own.
	json bool
}

// typesSQL needs an empty search_path, so that format_type qualifies what is not PostgreSQL's own.
const typesSQL = `
select format_type(t.oid, null), n.nspname::text, t.typname::text,
       case when t.typcategory = 'A' and t.typelem <> 0 then 'array' else t.typtype::text end,
       case when t.typtype = 'd' then format_type(t.typbasetype, null)
            when t.typcategory = 'A' and t.typelem <> 0 then format_type(t.typelem, null)
            else '' end,
       array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder),
       coalesce(a.names, '{}'), coalesce(a.types, '{}'),
       exists (select from pg_cast where castsource = t.oid and casttarget in ('json'::regtype, 'jsonb'::regtype))
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid
left join lateral (
  select array_agg(attname::text order by attnum) as names, array_agg(format_type(atttypid, null) order by attnum) as types
  from pg_attribute
  where c.relkind = 'c' and attrelid = c.oid and attnum > 0 and not attisdropped
) a on true
where t.typtype <> 'c' or n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`

func (g *generator) loadTypes(ctx context.Context, q pg.Querier) error {
	g.types = map[string]*pgType{}
	g.formats = map[schema.Name]string{}
	rows, err := q.Query(ctx, typesSQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		t := &pgType{}
		var format string
		var names, types []string
		if err := rows.Scan(&format, &t.name.Schema, &t.name.Name, &t.kind, &t.of, &t.labels, &names, &types, &t.json); err != nil {
			return err
		}
		for i, name := range names {
			t.attributes = append(t.attributes, schema.Param{Name: name, Type: types[i]})
		}
		g.types[format] = t
		g.formats[t.name] = format
	}
	return rows.Err()
}

// computedSQL reads the functions of one unnamed argument, a row of a relation: fields and relationships that requests
// select by name. Those that can be called too are in the snapshot.
const computedSQL = `
select pn.nspname::text, p.proname::text, rn.nspname::text, r.relname::text,
       p.proretset, format_type(p.prorettype, null), coalesce(p.proargnames[1], '') = ''
from pg_proc p
join pg_namespace pn on pn.oid = p.pronamespace
join pg_type a on a.oid = p.proargtypes[0]
join pg_class r on r.oid = a.typrelid
join pg_namespace rn on rn.oid = r.relnamespace
where p.pronargs = 1 and p.prokind = 'f' and rn.nspname = any ($1)
  and pn.nspname = any ($1)
order by 1, 2, 3, 4`

// computed is such a function.
type computed struct {
	name, relation schema.Name
	set            bool
	returns        string
	unnamed        bool
}

func (g *generator) loadComputed(ctx context.Context, q pg.Querier) error {
	rows, err := q.Query(ctx, computedSQL, g.schemas)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c computed
		if err := rows.Scan(&c.name.Schema, &c.name.Name, &c.relation.Schema, &c.relation.Name, &c.set, &c.returns, &c.unnamed); err != nil {
			return err
		}
		g.computed = append(g.computed, c)
	}
	return rows.Err()
}
