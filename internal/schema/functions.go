package schema

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// functionsSQL reads the functions of the exposed schemas that /rpc can call.
//
// A parameter is passed by name, so only a sole parameter may be unnamed, and
// only of a type that a request body can be. (A function with some names has
// empty ones for the others; PostgREST lets those through, and so do we: they
// are callable when the unnamed ones have defaults.)
const functionsSQL = `
with recursive domains as (
  select oid, typbasetype as base from pg_type where typtype = 'd'
  union all
  select d.oid, t.typbasetype from domains d join pg_type t on t.oid = d.base where t.typtype = 'd'
), bases as (
  select d.oid, d.base from domains d join pg_type t on t.oid = d.base where t.typtype <> 'd'
)
select p.oid, n.nspname::text, p.proname::text, coalesce(d.description, ''),
       p.provolatile::text, p.provariadic <> 0, p.proretset,
       b.oid is not null and t.typtype = 'c' as alias,
       t.typtype = 'c' or coalesce(p.proargmodes::text[] && '{t,b,o}', false) as composite,
       tn.nspname::text, coalesce(c.relname, t.typname)::text,
       coalesce(c.relkind in ('r', 'p', 'v', 'm', 'f'), false) as is_relation,
       p.pronargs - p.pronargdefaults as required,
       coalesce(a.names, '{}'), coalesce(a.types, '{}'), coalesce(a.modes, '{}'), coalesce(a.bases, '{}'),
       coalesce(o.names, '{}'), coalesce(o.types, '{}'), coalesce(o.bases, '{}'),
       coalesce(p.proconfig, '{}')
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
left join bases b on b.oid = p.prorettype
join pg_type t on t.oid = coalesce(b.base, p.prorettype)
join pg_namespace tn on tn.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid
left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
left join lateral (
  select array_agg(coalesce(name, '') order by ord) as names,
         array_agg(format_type(type, null) order by ord) as types,
         array_agg(coalesce(mode::text, 'i') order by ord) as modes,
         array_agg(coalesce(ab.base, type) order by ord) as bases,
         count(*) - count(name) as unnamed,
         (array_agg(type order by ord))[1] as first
  from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
    with ordinality as u (type, name, mode, ord)
  left join bases ab on ab.oid = type
  where coalesce(mode::text, 'i') in ('i', 'b', 'v')
) a on true
left join lateral (
  select array_agg(coalesce(name, '') order by ord) as names,
         array_agg(format_type(type, null) order by ord) as types,
         array_agg(coalesce(ob.base, type) order by ord) as bases
  from unnest(p.proallargtypes, p.proargnames, p.proargmodes) with ordinality as u (type, name, mode, ord)
  left join bases ob on ob.oid = type
  where mode in ('o', 'b', 't')
) o on true
where n.nspname = any ($1)
  and p.prokind = 'f'
  and t.oid <> 'trigger'::regtype
  and (coalesce(a.unnamed, 0) = 0
       or a.unnamed = 1 and a.first in ('bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text'::regtype, 'xml'::regtype))`

func (l *loader) functions(ctx context.Context, q pg.Querier) error {
	l.snapshot.Functions = make(map[Name][]*Function)
	err := each(ctx, q, functionsSQL, []any{l.options.Schemas}, func(rows pg.Rows) error {
		f := &Function{}
		var volatility, returns string
		var isRelation bool
		var required int
		var names, types, modes, config, outNames, outTypes []string
		var bases, outBases []uint32
		err := rows.Scan(&f.OID, &f.Name.Schema, &f.Name.Name, &f.Description,
			&volatility, &f.HasVariadic, &f.Returns.Set,
			&f.Returns.Alias, &f.Returns.Composite, &f.Returns.Type.Schema, &returns, &isRelation,
			&required, &names, &types, &modes, &bases, &outNames, &outTypes, &outBases, &config)
		if err != nil {
			return err
		}
		f.Volatility = Volatility(volatility[0])
		f.Returns.Type.Name = returns
		if isRelation {
			f.Returns.Table = returns
		}
		f.Returns.Void = !f.Returns.Set && f.Returns.Type == Name{"pg_catalog", "void"}
		for i, name := range names {
			f.Params = append(f.Params, Param{
				Name: name, Type: types[i], TypeMod: varying(types[i]),
				Required: i < required, Variadic: modes[i] == "v", Enum: l.enums[bases[i]],
			})
		}
		if f.Returns.Composite && f.Returns.Table == "" {
			for i, name := range outNames {
				f.Returns.Columns = append(f.Returns.Columns, Param{Name: name, Type: outTypes[i], Enum: l.enums[outBases[i]]})
			}
		}
		f.configure(config, l.options.HoistedSettings)
		l.snapshot.Functions[f.Name] = append(l.snapshot.Functions[f.Name], f)
		return nil
	})
	for _, overloads := range l.snapshot.Functions {
		slices.SortFunc(overloads, compareFunctions)
	}
	return err
}

// varying is the type of any length in place of one whose length, left out, is one.
func varying(typ string) string {
	switch typ {
	case "bit":
		return "bit varying"
	case "bit[]":
		return "bit varying[]"
	case "character":
		return "character varying"
	case "character[]":
		return "character varying[]"
	default:
		return typ
	}
}

// configure takes from pg_proc.proconfig ("name=value" each) what concerns the whole transaction.
func (f *Function) configure(config, hoisted []string) {
	for _, setting := range config {
		name, value, _ := strings.Cut(setting, "=")
		if name == "default_transaction_isolation" {
			f.Isolation = value
		}
		if slices.ContainsFunc(hoisted, func(h string) bool { return strings.EqualFold(h, name) }) {
			f.Settings = append(f.Settings, Setting{name, value})
		}
	}
}

// compareFunctions puts the overload with the fewest parameters first; the rest
// is the order in which PostgREST lists ambiguous ones.
func compareFunctions(a, b *Function) int {
	return cmp.Or(
		cmp.Compare(len(a.Params), len(b.Params)),
		strings.Compare(a.Description, b.Description),
		slices.CompareFunc(a.Params, b.Params, compareParams),
		cmp.Compare(a.OID, b.OID),
	)
}

func compareParams(a, b Param) int {
	return cmp.Or(
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.Type, b.Type),
		compareBool(a.Required, b.Required),
		compareBool(a.Variadic, b.Variadic),
	)
}
