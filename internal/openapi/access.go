package openapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// AccessSQL finds out what of a schema its user may see (openapi-mode=follow-privileges). Run it as the caller, with
// the caller's search_path.
//
// $1 is the schema, of type text. The answer is one row of one column, access: a JSON object for ParseAccess, equal
// bytes of which mean equal access:
//
//	comment    the schema's comment, null if it has none or does not exist
//	relations  the oids of the relations on which the caller has any privilege
//	functions  the oids of the functions that the caller may execute
//	types      how types of these functions' parameters are called in the caller's search_path, by their full names;
//	           only those whose schema need not be named
const AccessSQL = `
with space as (
  select n.oid from pg_namespace n where n.nspname = $1::text
), functions as (
  select p.oid, p.proargtypes
  from pg_proc p join space on p.pronamespace = space.oid
  where p.prokind = 'f' and has_function_privilege(p.oid, 'execute')
), types as (
  select distinct case when t.typcategory = 'A' and t.typelem <> 0 then t.typelem else t.oid end as oid
  from functions cross join lateral unnest(proargtypes::oid[]) a (oid) join pg_type t on t.oid = a.oid
)
select json_build_object(
  'comment', (select obj_description(oid, 'pg_namespace') from space),
  'relations', (
    select coalesce(json_agg(c.oid::int8 order by c.oid), '[]')
    from pg_class c join space on c.relnamespace = space.oid
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
      and (pg_has_role(c.relowner, 'usage')
           or has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
           or has_any_column_privilege(c.oid, 'select, insert, update, references'))
  ),
  'functions', (select coalesce(json_agg(oid::int8 order by oid), '[]') from functions),
  'types', (
    select coalesce(json_object_agg(format('%I.%I', n.nspname, t.typname), quote_ident(t.typname) order by t.oid), '{}')
    from types join pg_type t on t.oid = types.oid join pg_namespace n on n.oid = t.typnamespace
    where n.nspname <> 'pg_catalog' and pg_type_is_visible(t.oid)
  )
)::text as access`

// CommentSQL takes the place of AccessSQL where everybody sees everything (openapi-mode=ignore-privileges). Its
// parameter and its column are the same; its object has the comment alone.
const CommentSQL = `
select json_build_object(
  'comment', (select obj_description(n.oid, 'pg_namespace') from pg_namespace n where n.nspname = $1::text)
)::text as access`

// Access is what a caller may see of a schema.
type Access struct {
	// Comment is the schema's.
	Comment string `json:"comment"`
	// Relations and Functions are oids; nil means all of them.
	Relations []uint32 `json:"relations"`
	Functions []uint32 `json:"functions"`
	// Types are short names of types by their full names.
	Types map[string]string `json:"types"`
}

// ParseAccess reads the answer of AccessSQL or CommentSQL.
func ParseAccess(answer []byte) (*Access, error) {
	a := &Access{}
	if err := json.Unmarshal(answer, a); err != nil {
		return nil, fmt.Errorf("read what the caller may see: %w", err)
	}
	return a, nil
}

// Filter begins a description with what the caller may see of a schema, in the order of names. Overloads keep the
// snapshot's order. What the database made since the snapshot was loaded is not in it.
func (a *Access) Filter(s *schema.Snapshot, name string) Description {
	d := Description{Snapshot: s, Schema: name, Comment: a.Comment, TypeNames: a.Types}
	seen := permitted(a.Relations)
	for n, r := range s.Relations {
		if n.Schema == name && seen(r.OID) {
			d.Relations = append(d.Relations, r)
		}
	}
	slices.SortFunc(d.Relations, func(a, b *schema.Relation) int { return strings.Compare(a.Name.Name, b.Name.Name) })
	d.Functions = a.functions(s, name)
	return d
}

func (a *Access) functions(s *schema.Snapshot, name string) []*schema.Function {
	var found []*schema.Function
	seen := permitted(a.Functions)
	for n, overloads := range s.Functions {
		if n.Schema != name {
			continue
		}
		for _, f := range overloads {
			if seen(f.OID) {
				found = append(found, f)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *schema.Function) int { return cmp.Compare(a.Name.Name, b.Name.Name) })
	return found
}

// permitted tests for membership in a list that is nil for everything.
func permitted(oids []uint32) func(uint32) bool {
	if oids == nil {
		return func(uint32) bool { return true }
	}
	set := make(map[uint32]struct{}, len(oids))
	for _, oid := range oids {
		set[oid] = struct{}{}
	}
	return func(oid uint32) bool {
		_, ok := set[oid]
		return ok
	}
}
