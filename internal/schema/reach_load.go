package schema

import (
	"context"
	"fmt"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// reachedSQL reads what relations of any schema are, and what is below them: partitions and inheriting tables.
const reachedSQL = `
select c.oid, c.relkind::text, n.nspname in ('pg_catalog', 'information_schema', 'pg_toast'),
       c.relpersistence = 'p', c.relpersistence = 't', not c.relrowsecurity,
       array(select i.inhrelid from pg_inherits i where i.inhparent = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.oid = any ($1)`

// reachedTreesSQL reads the expressions on the way: the queries of views, and what policies for reading demand. What a
// caller's role has to do with a policy is left open: more policies than apply only mean more to depend on.
const reachedTreesSQL = `
select r.ev_class, r.ev_action::text
from pg_rewrite r join pg_class c on c.oid = r.ev_class
where c.oid = any ($1) and c.relkind = 'v' and r.ev_type = '1' and r.rulename = '_RETURN'
union all
select p.polrelid, p.polqual::text
from pg_policy p join pg_class c on c.oid = p.polrelid
where c.oid = any ($1) and c.relrowsecurity and p.polcmd in ('*', 'r') and p.polqual is not null`

// jsonCastsSQL reads the functions that turn values of columns into JSON: to_json and its kin use the casts of types that
// are not PostgreSQL's own, also inside of arrays and rows. Of domains they take the type below
// (https://www.postgresql.org/docs/current/functions-json.html#FUNCTIONS-JSON-CREATION).
const jsonCastsSQL = `
with recursive types (relation, type) as (
	select a.attrelid, a.atttypid
	from pg_attribute a
	where a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped and a.atttypid >= 16384
	union
	select w.relation, p.type
	from types w join pg_type t on t.oid = w.type, lateral (
		select t.typelem union select t.typbasetype union
		select a.atttypid from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) p (type)
	where p.type >= 16384
)
select w.relation, c.castfunc
from types w join pg_type t on t.oid = w.type and t.typtype <> 'd'
join pg_cast c on c.castsource = w.type and c.casttarget = 'pg_catalog.json'::regtype and c.castfunc <> 0`

// firstUserOID is the least OID of what initdb has not made (FirstNormalObjectId, access/transam.h).
const firstUserOID = 16384

// calledSQL reads functions. The tree of a body is NULL for those whose body is a text that only runs show the meaning of;
// that of the defaults is for calls that leave arguments out. PostgreSQL's own are those that initdb made: superusers can
// add to its schema.
const calledSQL = `
select p.oid, n.nspname = 'pg_catalog' and p.oid < 16384, p.proname::text, p.provolatile::text,
       l.lanname::text, p.prosrc, %s, p.proargdefaults::text
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
where p.oid = any ($1)`

// readReach follows the exposed relations, a step at a time, until nothing new is found.
func (l *loader) readReach(ctx context.Context, q pg.Querier) error {
	l.graph = reachGraph{relations: map[uint32]*reached{}, functions: map[uint32]*calledFunction{}}
	var relations, functions []uint32
	for oid, r := range l.byOID {
		relations = append(relations, oid)
		for _, f := range r.Computed {
			functions = append(functions, f.oid)
		}
	}
	for _, oid := range l.inputs {
		relations = append(relations, oid)
	}
	for _, overloads := range l.snapshot.Functions {
		for _, f := range overloads {
			functions = append(functions, f.OID)
		}
	}
	for len(relations)+len(functions) > 0 {
		var found uses
		if err := l.reachRelations(ctx, q, relations, &found); err != nil {
			return err
		}
		if err := l.reachFunctions(ctx, q, functions, &found); err != nil {
			return err
		}
		relations, functions = unknown(l.graph.relations, found.relations), unknown(l.graph.functions, found.functions)
	}
	return nil
}

// unknown are the OIDs that are not in known, each once; they are from now on.
func unknown[T any](known map[uint32]*T, oids []uint32) (out []uint32) {
	for _, oid := range oids {
		if _, ok := known[oid]; !ok {
			known[oid] = nil
			out = append(out, oid)
		}
	}
	return out
}

func (l *loader) reachRelations(ctx context.Context, q pg.Querier, oids []uint32, found *uses) error {
	if len(oids) == 0 {
		return nil
	}
	err := each(ctx, q, reachedSQL, []any{oids}, func(rows pg.Rows) error {
		var oid uint32
		var kind string
		r := new(reached)
		if err := rows.Scan(&oid, &kind, &r.catalog, &r.permanent, &r.temporary, &r.open, &r.children); err != nil {
			return err
		}
		r.kind = Kind(kind[0])
		l.graph.relations[oid] = r
		found.relations = append(found.relations, r.children...)
		return nil
	})
	if err != nil {
		return err
	}
	use := func(oid uint32, u uses) {
		if r := l.graph.relations[oid]; r != nil && !r.catalog {
			r.uses.add(u)
			found.add(u)
		}
	}
	err = each(ctx, q, reachedTreesSQL, []any{oids}, func(rows pg.Rows) error {
		var oid uint32
		var tree []byte
		if err := rows.Scan(&oid, &tree); err != nil {
			return err
		}
		use(oid, usesOf(tree))
		return nil
	})
	if err != nil {
		return err
	}
	return each(ctx, q, jsonCastsSQL, []any{oids}, func(rows pg.Rows) error {
		var oid, function uint32
		if err := rows.Scan(&oid, &function); err != nil {
			return err
		}
		use(oid, uses{functions: []uint32{function}})
		return nil
	})
}

func (l *loader) reachFunctions(ctx context.Context, q pg.Querier, oids []uint32, found *uses) error {
	if len(oids) == 0 {
		return nil
	}
	body := "null"
	if l.snapshot.Version >= 140000 {
		body = "p.prosqlbody::text"
	}
	return each(ctx, q, fmt.Sprintf(calledSQL, body), []any{oids}, func(rows pg.Rows) error {
		var oid uint32
		var f function
		var tree, defaults []byte
		if err := rows.Scan(&oid, &f.builtin, &f.name, &f.volatility, &f.language, &f.source, &tree, &defaults); err != nil {
			return err
		}
		called := &calledFunction{uses: f.uses(tree)}
		if defaults != nil && !f.builtin {
			called.uses.add(usesOf(defaults))
		}
		l.graph.functions[oid] = called
		found.add(called.uses)
		return nil
	})
}

// setReach tells of every exposed relation and function what is behind it.
func (l *loader) setReach() {
	for oid, r := range l.byOID {
		r.Reach = l.graph.of(oid)
		for _, f := range r.Computed {
			f.Reach = l.graph.ofFunction(f.oid)
		}
	}
	for _, overloads := range l.snapshot.Functions {
		for _, f := range overloads {
			f.Reach = l.graph.ofFunction(f.OID)
		}
	}
}
