package pg

import (
	"context"
	"fmt"
)

// RoleSettings are the ALTER ROLE … SET settings of a role that requests are run as.
type RoleSettings struct {
	// Isolation is default_transaction_isolation, or empty.
	Isolation string
	// Settings are the others that the login role may set.
	Settings []Setting
}

// LoadRoleSettings reads the settings of all roles that the login role may take on. PostgreSQL applies such settings at
// login only; a role taken on by SET ROLE gets them from us.
func LoadRoleSettings(ctx context.Context, q Querier) (map[string]RoleSettings, error) {
	const sql = `
select r.rolname, split_part(s.setting, '=', 1), substr(s.setting, strpos(s.setting, '=') + 1)
from pg_catalog.pg_roles r
cross join lateral unnest(r.rolconfig) with ordinality s(setting, n)
join pg_catalog.pg_settings p on lower(p.name) = lower(split_part(s.setting, '=', 1))
where pg_has_role(current_user, r.oid, 'member')
  and (p.context = 'user' %s)
order by 1, s.n`
	var version int
	if err := scanOne(ctx, q, "select current_setting('server_version_num')::int", &version); err != nil {
		return nil, fmt.Errorf("load role settings: %w", err)
	}
	privilege := ""
	if version >= 150000 {
		privilege = "or has_parameter_privilege(current_user, p.name, 'set')"
	}
	rows, err := q.Query(ctx, fmt.Sprintf(sql, privilege))
	if err != nil {
		return nil, fmt.Errorf("load role settings: %w", serverError(err))
	}
	defer rows.Close()
	out := map[string]RoleSettings{}
	for rows.Next() {
		var role, name, value string
		if err := rows.Scan(&role, &name, &value); err != nil {
			return nil, fmt.Errorf("load role settings: %w", err)
		}
		s := out[role]
		if name == "default_transaction_isolation" {
			s.Isolation = value
		} else {
			s.Settings = append(s.Settings, Setting{name, value})
		}
		out[role] = s
	}
	return out, serverError(rows.Err())
}

func scanOne(ctx context.Context, q Querier, sql string, into any) error {
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return serverError(err)
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(into); err != nil {
			return err
		}
	}
	rows.Close()
	return serverError(rows.Err())
}
