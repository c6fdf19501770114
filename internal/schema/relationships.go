package schema

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// relationships makes the relationships between exposed relations: those of
// the foreign keys, the same seen through views, many-to-many through junctions,
// the inverse of each, and computed ones in place of detected ones.
func (l *loader) relationships() map[RelationshipKey][]*Relationship {
	var held []*Relationship // seen from the side that holds the foreign key
	for i := range l.foreign {
		k := &l.foreign[i]
		held = append(held, l.keyRelationships(k)...)
	}
	held = slices.DeleteFunc(held, func(r *Relationship) bool { return !l.exposes(r.Origin) || !l.exposes(r.Target) })
	all := slices.Concat(held, l.manyToMany(held), inverses(held))
	return index(override(all, l.computed))
}

// keyRelationships are a foreign key's own relationship and, for every view
// that shows the whole key of either side, those from and to the view.
func (l *loader) keyRelationships(k *foreignKey) []*Relationship {
	origins := append(l.sides(&k.origin), side{k.origin.relation, k.origin.names, false})
	targets := append(l.sides(&k.target), side{k.target.relation, k.target.names, false})
	made := make([]*Relationship, 0, len(origins)*len(targets))
	for _, o := range origins {
		for _, t := range targets {
			made = append(made, k.relationship(o, t))
		}
	}
	return made
}

// side is a relation with the columns under which it shows one side of a foreign key.
type side struct {
	relation Name
	columns  []string
	view     bool
}

// sides are the exposed views that show all columns of one side of a foreign key.
func (l *loader) sides(k *keySide) []side {
	var s []side
	for _, view := range l.viewDeps.of[k.oid] {
		combinations, _ := l.viewDeps.key(view, k.oid, k.numbers)
		for _, columns := range combinations {
			s = append(s, side{view.Name, columns, true})
		}
	}
	return s
}

func (k *foreignKey) relationship(o, t side) *Relationship {
	r := &Relationship{
		Origin: o.relation, Target: t.relation,
		Cardinality: ManyToOne,
		Self:        o.relation == t.relation,
		Constraint:  k.name,
		Columns:     make([]ColumnPair, len(o.columns)),

		OriginIsView: o.view, TargetIsView: t.view,
	}
	if k.unique {
		r.Cardinality, r.OriginHoldsKey = OneToOne, true
	}
	for i, c := range o.columns {
		r.Columns[i] = ColumnPair{c, t.columns[i]}
	}
	return r
}

// inverses are the same relationships seen from the other side.
func inverses(held []*Relationship) []*Relationship {
	inv := make([]*Relationship, len(held))
	for i, r := range held {
		v := *r
		v.Origin, v.Target = r.Target, r.Origin
		v.OriginIsView, v.TargetIsView = r.TargetIsView, r.OriginIsView
		v.OriginHoldsKey = false
		v.Columns = swap(r.Columns)
		if r.Cardinality == ManyToOne {
			v.Cardinality = OneToMany
		}
		inv[i] = &v
	}
	return inv
}

func swap(pairs []ColumnPair) []ColumnPair {
	swapped := make([]ColumnPair, len(pairs))
	for i, p := range pairs {
		swapped[i] = ColumnPair{p.Right, p.Left}
	}
	return swapped
}

// manyToMany finds the junctions: relations with two foreign keys whose columns
// are all part of the relation's primary key.
func (l *loader) manyToMany(held []*Relationship) []*Relationship {
	byOrigin := make(map[Name][]*Relationship)
	for _, r := range held {
		if r.Cardinality == ManyToOne && l.inPrimaryKey(r) {
			byOrigin[r.Origin] = append(byOrigin[r.Origin], r)
		}
	}
	var found []*Relationship
	for table, keys := range byOrigin {
		for _, a := range keys {
			for _, b := range keys {
				if a.Constraint != b.Constraint {
					found = append(found, junction(table, a, b))
				}
			}
		}
	}
	return found
}

func (l *loader) inPrimaryKey(r *Relationship) bool {
	relation := l.snapshot.Relations[r.Origin]
	if relation == nil { // a partition
		return false
	}
	return !slices.ContainsFunc(r.Columns, func(p ColumnPair) bool {
		return !slices.Contains(relation.PrimaryKey, p.Left)
	})
}

// junction is the relationship from the target of a to the target of b.
func junction(table Name, a, b *Relationship) *Relationship {
	return &Relationship{
		Origin: a.Target, Target: b.Target,
		Cardinality: ManyToMany,
		Self:        a.Target == b.Target,
		Junction: &Junction{
			Table:            table,
			OriginConstraint: a.Constraint, TargetConstraint: b.Constraint,
			Origin: swap(a.Columns), Target: swap(b.Columns),
		},
		OriginIsView: a.TargetIsView, TargetIsView: b.TargetIsView,
	}
}

// computedSQL reads the functions that take a row of one relation and return
// rows of a relation.
const computedSQL = `
select fn.nspname::text, p.proname::text,
       n1.nspname::text, c1.relname::text, c1.relkind in ('v', 'm'),
       n2.nspname::text, c2.relname::text, c2.relkind in ('v', 'm'),
       not p.proretset or p.prorows = 1 as to_one
from pg_proc p
join pg_namespace fn on fn.oid = p.pronamespace
join pg_class c1 on c1.reltype = p.proargtypes[0] and c1.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_namespace n1 on n1.oid = c1.relnamespace
join pg_class c2 on c2.reltype = p.prorettype and c2.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_namespace n2 on n2.oid = c2.relnamespace
where p.pronargs = 1 and n1.nspname = any ($1) and n2.nspname = any ($1)`

func (l *loader) computedRelationships(ctx context.Context, q pg.Querier) error {
	return each(ctx, q, computedSQL, []any{l.options.Schemas}, func(rows pg.Rows) error {
		r := &Relationship{Function: &Name{}, Cardinality: OneToMany}
		var toOne bool
		err := rows.Scan(&r.Function.Schema, &r.Function.Name,
			&r.Origin.Schema, &r.Origin.Name, &r.OriginIsView,
			&r.Target.Schema, &r.Target.Name, &r.TargetIsView, &toOne)
		if toOne {
			r.Cardinality = ManyToOne
		}
		r.Self = r.Origin == r.Target
		l.computed = append(l.computed, r)
		return err
	})
}

// override drops the detected relationships in whose place a computed one
// stands: a function named like the target, in the target's schema.
func override(detected, computed []*Relationship) []*Relationship {
	taken := make(map[[2]Name]bool, len(computed))
	for _, r := range computed {
		taken[[2]Name{r.Origin, *r.Function}] = true
	}
	detected = slices.DeleteFunc(detected, func(r *Relationship) bool { return taken[[2]Name{r.Origin, r.Target}] })
	return append(detected, computed...)
}

// index sorts relationships into a map. A computed one is found in the schema of its function.
func index(all []*Relationship) map[RelationshipKey][]*Relationship {
	m := make(map[RelationshipKey][]*Relationship)
	for _, r := range all {
		k := RelationshipKey{r.Origin, r.Target.Schema}
		if r.Function != nil {
			k.TargetSchema = r.Function.Schema
		}
		m[k] = append(m[k], r)
	}
	for _, rs := range m {
		slices.SortFunc(rs, compareRelationships)
	}
	return m
}

// sortRank is the order of cardinalities in PostgREST's lists of candidates.
var sortRank = [...]int{OneToMany: 0, ManyToOne: 1, OneToOne: 2, ManyToMany: 3}

// compareRelationships is the order in which PostgREST lists the candidates of
// an ambiguous embedding; computed relationships come last.
func compareRelationships(a, b *Relationship) int {
	if c := compareBool(a.Function != nil, b.Function != nil); c != 0 {
		return c
	}
	if a.Function != nil {
		return cmp.Or(a.Function.compare(*b.Function), a.Target.compare(b.Target))
	}
	return cmp.Or(
		a.Target.compare(b.Target),
		compareBool(a.Self, b.Self),
		cmp.Compare(sortRank[a.Cardinality], sortRank[b.Cardinality]),
		strings.Compare(a.Constraint, b.Constraint),
		slices.CompareFunc(a.Columns, b.Columns, ColumnPair.compare),
		compareBool(!a.OriginHoldsKey, !b.OriginHoldsKey),
		a.Junction.compare(b.Junction),
		compareBool(a.OriginIsView, b.OriginIsView),
		compareBool(a.TargetIsView, b.TargetIsView),
	)
}

func (j *Junction) compare(k *Junction) int {
	if j == nil || k == nil {
		return compareBool(j != nil, k != nil)
	}
	return cmp.Or(
		j.Table.compare(k.Table),
		strings.Compare(j.OriginConstraint, k.OriginConstraint),
		strings.Compare(j.TargetConstraint, k.TargetConstraint),
		slices.CompareFunc(j.Origin, k.Origin, ColumnPair.compare),
		slices.CompareFunc(j.Target, k.Target, ColumnPair.compare),
	)
}

func (p ColumnPair) compare(o ColumnPair) int {
	return cmp.Or(strings.Compare(p.Left, o.Left), strings.Compare(p.Right, o.Right))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
