package schema

import (
	"context"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// representationsSQL reads the casts by which domains choose their own text and
// JSON form (https://postgrest.org/en/stable/references/api/domain_representations.html).
const representationsSQL = `
select format_type(k.castsource, null), format_type(k.casttarget, null), n.nspname::text, p.proname::text
from pg_cast k
join pg_type s on s.oid = k.castsource
join pg_type t on t.oid = k.casttarget
join pg_proc p on p.oid = k.castfunc
join pg_namespace n on n.oid = p.pronamespace
where k.castcontext = 'i' and k.castmethod = 'f'
  and has_function_privilege(k.castfunc, 'execute')
  and (s.typtype = 'd' and t.oid in ('json'::regtype, 'text'::regtype)
       or t.typtype = 'd' and s.oid in ('json'::regtype, 'text'::regtype))`

func (l *loader) representations(ctx context.Context, q pg.Querier) error {
	l.snapshot.Representations = make(map[[2]string]Name)
	return each(ctx, q, representationsSQL, nil, func(rows pg.Rows) error {
		var cast [2]string
		var function Name
		err := rows.Scan(&cast[0], &cast[1], &function.Schema, &function.Name)
		l.snapshot.Representations[cast] = function
		return err
	})
}

// mediaHandlersSQL reads the aggregates and functions of the exposed schemas
// whose result is a domain that is named like a media type
// (https://postgrest.org/en/stable/references/api/media_type_handlers.html).
// Aggregates handle the relation whose rows they take, functions their own result.
const mediaHandlersSQL = `
with media_types as (
  select oid, lower(typname) as name,
         case typname when '*/*' then 'application/octet-stream' else typname::text end as resolved
  from pg_type
  where typtype = 'd' and (typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or typname = '*/*')
)
select false, n.nspname::text, p.proname::text, n.nspname::text, p.proname::text, m.name, m.resolved
from pg_proc p
join media_types m on m.oid = p.prorettype
join pg_namespace n on n.oid = p.pronamespace
where n.nspname = any ($1) and p.prokind = 'f' and not p.proretset
union all
select true, n.nspname::text, p.proname::text, coalesce(rn.nspname::text, ''), coalesce(r.relname::text, ''), m.name, m.resolved
from pg_proc p
join media_types m on m.oid = p.prorettype
join pg_namespace n on n.oid = p.pronamespace
left join pg_class r on r.reltype = p.proargtypes[0] and r.relkind in ('r', 'p', 'v', 'm', 'f')
left join pg_namespace rn on rn.oid = r.relnamespace
where n.nspname = any ($1) and p.prokind = 'a' and p.pronargs = 1
  and (r.oid is not null or p.proargtypes[0] = 'anyelement'::regtype)
order by 1, 2, 3`

func (l *loader) mediaHandlers(ctx context.Context, q pg.Querier) error {
	l.snapshot.MediaHandlers = make(map[MediaHandlerKey]MediaHandler)
	return each(ctx, q, mediaHandlersSQL, []any{l.options.Schemas}, func(rows pg.Rows) error {
		var k MediaHandlerKey
		var h MediaHandler
		err := rows.Scan(&h.Aggregate, &h.Function.Schema, &h.Function.Name,
			&k.Relation.Schema, &k.Relation.Name, &k.MediaType, &h.Resolved)
		l.snapshot.MediaHandlers[k] = h
		return err
	})
}
