package schema

import (
	"context"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// inputsSQL finds relations of any schema by their names.
const inputsSQL = `
select n.nspname, c.relname, c.oid
from unnest($1::text[], $2::text[]) as wanted (schema, name)
join pg_namespace n on n.nspname = wanted.schema
join pg_class c on c.relnamespace = n.oid and c.relname = wanted.name and c.relkind in ('r', 'p', 'v', 'm', 'f')`

// readInputs finds the relations of Options.Inputs, for readReach to follow.
func (l *loader) readInputs(ctx context.Context, q pg.Querier) error {
	l.inputs = map[Name]uint32{}
	if len(l.options.Inputs) == 0 {
		return nil
	}
	var schemas, names []string
	for _, n := range l.options.Inputs {
		schemas, names = append(schemas, n.Schema), append(names, n.Name)
	}
	return each(ctx, q, inputsSQL, []any{schemas, names}, func(rows pg.Rows) error {
		var n Name
		var oid uint32
		err := rows.Scan(&n.Schema, &n.Name, &oid)
		l.inputs[n] = oid
		return err
	})
}

func (l *loader) setInputs() {
	l.snapshot.Inputs = make(map[Name]Reach, len(l.inputs))
	for n, oid := range l.inputs {
		l.snapshot.Inputs[n] = l.graph.of(oid)
	}
}
