package schema

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// viewsSQL reads the defining queries of the views of the exposed schemas and
// of the extra search path, which exposed views may be made of.
const viewsSQL = `
select c.oid, r.ev_action::text
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_rewrite r on r.ev_class = c.oid and r.ev_type = '1' and r.rulename = '_RETURN'
where c.relkind in ('v', 'm') and n.nspname = any ($1::text[] || $2::text[])`

// viewDependencies say which columns of which exposed views show a column of a relation.
type viewDependencies struct {
	// shown are the view's columns, in their order, by view and source column.
	shown map[uint32]map[sourceColumn][]int16
	// of are the exposed views that show anything of a relation, by its OID, ordered by name.
	of map[uint32][]*Relation
}

func (l *loader) views(ctx context.Context, q pg.Querier) error {
	definitions := make(map[uint32][]viewColumn)
	var text []byte
	// A nil array would be NULL, and so would its concatenation.
	extra := append([]string{}, l.options.ExtraSearchPath...)
	err := each(ctx, q, viewsSQL, []any{l.options.Schemas, extra}, func(rows pg.Rows) error {
		var view uint32
		if err := rows.Scan(&view, &text); err != nil {
			return err
		}
		columns, err := parseViewRule(text)
		if err != nil {
			return fmt.Errorf("view with OID %d: %w", view, err)
		}
		definitions[view] = columns
		return nil
	})
	if err != nil {
		return err
	}
	l.viewDeps = l.followViews(definitions)
	return nil
}

// followViews follows the columns of every exposed view down to the tables.
func (l *loader) followViews(definitions map[uint32][]viewColumn) *viewDependencies {
	d := &viewDependencies{
		shown: make(map[uint32]map[sourceColumn][]int16),
		of:    make(map[uint32][]*Relation),
	}
	sources := make(map[sourceColumn]sourceColumn)
	for view, columns := range definitions {
		for _, c := range columns {
			sources[sourceColumn{view, c.number}] = c.source
		}
	}
	for view, columns := range definitions {
		r := l.byOID[view]
		if r == nil {
			continue
		}
		shown := make(map[sourceColumn][]int16)
		seen := make(map[uint32]bool)
		for _, c := range columns {
			// The target list may end with columns that are only sorted or grouped by.
			if int(c.number) > len(r.Columns) {
				continue
			}
			for source := range chain(sources, c.source) {
				if slices.Contains(shown[source], c.number) { // a circle
					break
				}
				shown[source] = append(shown[source], c.number)
				if !seen[source.relation] {
					seen[source.relation] = true
					d.of[source.relation] = append(d.of[source.relation], r)
				}
			}
		}
		d.shown[view] = shown
	}
	for _, views := range d.of {
		slices.SortFunc(views, func(a, b *Relation) int { return a.Name.compare(b.Name) })
	}
	return d
}

// chain gives the source of a view's column, that column's own source when it
// belongs to a view again, and so on. It has no end when CREATE OR REPLACE VIEW
// has tied views into a circle.
func chain(sources map[sourceColumn]sourceColumn, c sourceColumn) iter.Seq[sourceColumn] {
	return func(yield func(sourceColumn) bool) {
		for ok := true; ok && yield(c); {
			c, ok = sources[c]
		}
	}
}

// key gives the columns under which a view shows a key of a table, or false
// when it does not show all of it. A view may show a column several times:
// there is one result for each combination.
func (d *viewDependencies) key(view *Relation, table uint32, key []int16) ([][]string, bool) {
	combinations := [][]string{nil}
	for _, number := range key {
		shown := d.shown[view.OID][sourceColumn{table, number}]
		if len(shown) == 0 {
			return nil, false
		}
		var longer [][]string
		for _, prefix := range combinations {
			for _, n := range shown {
				longer = append(longer, append(slices.Clip(prefix), view.Columns[n-1].Name))
			}
		}
		combinations = longer
	}
	return combinations, true
}

// setViewPrimaryKeys gives every view the primary keys of the tables whose
// whole key it shows, one after the other in the order of the tables' names.
func (l *loader) setViewPrimaryKeys() {
	slices.SortFunc(l.primary, func(a, b keySide) int { return a.relation.compare(b.relation) })
	for _, k := range l.primary {
		for _, view := range l.viewDeps.of[k.oid] {
			if columns, ok := l.viewDeps.key(view, k.oid, k.numbers); ok {
				view.PrimaryKey = append(view.PrimaryKey, columns[0]...)
			}
		}
	}
}
