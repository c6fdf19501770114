package schema

import (
	"context"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// ComputedField is a function that takes a row of a relation and gives a value: PostgreSQL lets it be written like a
// column.
type ComputedField struct {
	Volatility Volatility
	Reach      Reach
	oid        uint32
}

// computedFieldsSQL reads the computed fields of the exposed relations whose function is in an exposed schema.
const computedFieldsSQL = `
select p.oid, n.nspname::text, p.proname::text, p.provolatile::text, t.typrelid
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_type t on t.oid = p.proargtypes[0]
where p.pronargs = 1 and p.prokind = 'f' and not p.proretset and t.typrelid <> 0
  and n.nspname = any ($1)`

func (l *loader) computedFields(ctx context.Context, q pg.Querier) error {
	return each(ctx, q, computedFieldsSQL, []any{l.options.Schemas}, func(rows pg.Rows) error {
		var name Name
		var volatility string
		var relation uint32
		f := new(ComputedField)
		if err := rows.Scan(&f.oid, &name.Schema, &name.Name, &volatility, &relation); err != nil {
			return err
		}
		f.Volatility = Volatility(volatility[0])
		if r := l.byOID[relation]; r != nil {
			if r.Computed == nil {
				r.Computed = map[Name]*ComputedField{}
			}
			r.Computed[name] = f
		}
		return nil
	})
}
