package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

func (i inspection) schemas(ctx context.Context) error {
	for _, s := range i.options.Schemas {
		if err := i.schema(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (i inspection) schema(ctx context.Context, schema string) error {
	name := "schema " + schema
	var exists, usable bool
	var relations, functions int
	err := i.row(ctx, `
		select n.oid is not null,
		       exists (select from pg_roles as r
		               where (r.rolname = $2 or $3 and r.rolname !~ '^pg_' and r.rolname <> session_user and pg_has_role(session_user, r.oid, 'MEMBER'))
		                 and n.oid is not null and has_schema_privilege(r.oid, n.oid, 'USAGE')),
		       (select count(*)::int from pg_class as c where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition),
		       (select count(*)::int from pg_proc as p where p.pronamespace = n.oid and p.prokind = 'f')
		from (values ($1::text)) as wanted(name) left join pg_namespace as n on n.nspname = wanted.name`,
		[]any{schema, i.options.AnonRole, i.options.Tokens}, &exists, &usable, &relations, &functions)
	found := fmt.Sprintf("%d relations, %d functions", relations, functions)
	switch {
	case err != nil:
		return err
	case !exists:
		i.report.add(Finding{name, Fail, "does not exist", "the server cannot read its catalog", "CREATE SCHEMA " + quote(schema) + ", or correct db-schemas"})
	case !usable:
		i.report.add(Finding{name, Warn, found + ", but no role of callers has USAGE", "requests to it fail with permission denied",
			"GRANT USAGE ON SCHEMA " + quote(schema) + " TO the roles of callers"})
	case relations+functions == 0:
		i.report.add(Finding{name, Warn, "empty", "there is nothing to serve", "create tables, views or functions in it, or correct db-schemas"})
	default:
		i.report.ok(name, "%s", found)
	}
	return nil
}

// preRequest looks for the function that is called without arguments before every statement.
func (i inspection) preRequest(ctx context.Context) error {
	const name = "db-pre-request"
	called := i.options.Called
	if called == "" {
		return nil
	}
	path := slices.Concat(i.options.Schemas, i.options.SearchPath, []string{"pg_catalog"})
	function := called
	if schema, rest, ok := strings.Cut(called, "."); ok {
		path, function = []string{schema}, rest
	}
	var exists bool
	err := i.row(ctx, `
		select exists (select from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
		               where p.proname = $1 and n.nspname = any($2) and p.pronargs = p.pronargdefaults and p.prokind = 'f')`, []any{function, path}, &exists)
	switch {
	case err != nil:
		return err
	case !exists:
		i.report.add(Finding{name, Fail, "there is no function " + called + "()", "every request fails",
			"CREATE FUNCTION " + called + "(), in the schema that it is to be in, or correct db-pre-request"})
	default:
		i.report.ok(name, "%s", called)
	}
	return nil
}

// quote makes a name an SQL identifier, to be copied from the report.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
