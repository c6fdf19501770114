package slipstream

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// CacheDependency is a change that drops an answer.
type CacheDependency struct {
	// Table is schema.name.
	Table string `json:"table"`
	// Change is any of the table; before of rows that were so; after of rows that are so now; either.
	Change string `json:"change"`
	// Columns and Rows: only rows with one of so many values of these columns. The values themselves are part of the answer.
	Columns []string `json:"columns,omitempty"`
	Rows    int      `json:"rows,omitempty"`
	// Where are conditions that such a row fulfils, too.
	Where []string `json:"where,omitempty"`
}

// tableNames are names by OID, and those of columns by number.
type tableNames map[cache.Table]tableName

type tableName struct {
	name    string
	columns map[cache.Column]string
}

const tableNamesSQL = `
select c.oid, n.nspname || '.' || c.relname, array_agg(a.attnum order by a.attnum), array_agg(a.attname::text order by a.attnum)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0
where c.oid = any ($1)
group by 1, 2`

// tableNames asks the database, as the catalog in memory has neither partitions nor what is behind views.
func (s *Server) tableNames(ctx context.Context, oids []uint32) (tableNames, error) {
	names := tableNames{}
	err := s.db.Catalog(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, tableNamesSQL, oids)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var oid uint32
			var numbers []int16
			var columns []string
			t := tableName{columns: map[cache.Column]string{}}
			if err := rows.Scan(&oid, &t.name, &numbers, &columns); err != nil {
				return err
			}
			for i, n := range numbers {
				t.columns[cache.Column(n)] = columns[i]
			}
			names[cache.Table(oid)] = t
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read the names of tables: %w", err)
	}
	return names, nil
}

// all are the names in their order.
func (n tableNames) all() []string {
	names := make([]string, 0, len(n))
	for _, t := range n {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return names
}

func (n tableNames) table(t cache.Table) string {
	if name := n[t].name; name != "" {
		return name
	}
	return strconv.FormatUint(uint64(t), 10)
}

func (n tableNames) column(t cache.Table, c cache.Column) string {
	if name := n[t].columns[c]; name != "" {
		return name
	}
	return "column " + strconv.Itoa(int(c))
}

var sides = map[cache.Side]string{cache.Before: "before", cache.After: "after", cache.Either: "either"}

func (n tableNames) dependency(w *cache.Watch) CacheDependency {
	d := CacheDependency{Table: n.table(w.Table), Change: sides[w.Side], Rows: len(w.Values)}
	if len(w.Columns) == 0 && len(w.Terms) == 0 && w.Side == cache.Either {
		d.Change = "any"
	}
	for _, c := range w.Columns {
		d.Columns = append(d.Columns, n.column(w.Table, c))
	}
	for _, t := range w.Terms {
		d.Where = append(d.Where, n.term(w.Table, t))
	}
	slices.Sort(d.Where)
	return d
}

// term spells a condition. The values of a Compare are the request's own; those of a Within are rows of the answer.
func (n tableNames) term(t cache.Table, term cache.Term) string {
	switch c := term.(type) {
	case cache.Compare:
		return strings.TrimSpace(n.column(t, c.Column) + " " + c.Op.String() + " " + strings.Join(c.Values, ", "))
	case cache.Within:
		var columns []string
		for _, o := range c.Columns {
			columns = append(columns, n.column(t, o.Column))
		}
		return "sorts before the end of the page, by " + strings.Join(columns, ", ")
	}
	return "another condition"
}
