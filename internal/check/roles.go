package check

import (
	"context"
	"fmt"
)

func (i inspection) authenticator(ctx context.Context) error {
	var user string
	var super, bypass bool
	if err := i.row(ctx, `select rolname, rolsuper, rolbypassrls from pg_roles where rolname = session_user`, nil, &user, &super, &bypass); err != nil {
		return err
	}
	attribute := ""
	switch {
	case super:
		attribute = "a superuser"
	case bypass:
		attribute = "exempt from row level security"
	}
	if attribute == "" {
		i.report.ok("authenticator", "%s", user)
		return nil
	}
	i.report.add(Finding{"authenticator", Warn, user + ", " + attribute, "a token with this role may do anything in the database",
		"connect as a role of its own: CREATE ROLE authenticator LOGIN NOINHERIT; GRANT <the callers' roles> TO authenticator"})
	return nil
}

func (i inspection) anonRole(ctx context.Context) error {
	const name = "anonymous role"
	role := i.options.AnonRole
	if role == "" {
		if i.options.Tokens {
			i.report.ok(name, "none: requests without a token are refused")
			return nil
		}
		i.report.add(Finding{name, Fail, "none, and no jwt-secret", "every request is refused",
			"set db-anon-role to serve requests without a token, or jwt-secret to accept tokens"})
		return nil
	}
	var exists, member, super bool
	err := i.row(ctx, `
		select r.oid is not null, coalesce(pg_has_role(session_user, r.oid, 'MEMBER'), false), coalesce(r.rolsuper, false)
		from (values ($1::text)) as wanted(name) left join pg_roles as r on r.rolname = wanted.name`, []any{role}, &exists, &member, &super)
	switch {
	case err != nil:
		return err
	case !exists:
		i.report.add(Finding{name, Fail, fmt.Sprintf("%q does not exist", role), "requests without a token fail", "CREATE ROLE " + quote(role) + " NOLOGIN, or correct db-anon-role"})
	case !member:
		i.report.add(Finding{name, Fail, fmt.Sprintf("%q is not granted to the authenticator", role), "requests without a token fail", "GRANT " + quote(role) + " TO the user of db-uri"})
	case super:
		i.report.add(Finding{name, Warn, fmt.Sprintf("%q, a superuser", role), "everybody may do anything in the database", "set db-anon-role to a role with no more rights than strangers should have"})
	default:
		i.report.ok(name, "%s", role)
	}
	return nil
}

func (i inspection) tokenRoles(ctx context.Context) error {
	const name = "roles of tokens"
	if !i.options.Tokens {
		i.report.ok(name, "not used: there is no jwt-secret")
		return nil
	}
	var count int
	var some string
	err := i.row(ctx, `
		select count(*)::int, coalesce(string_agg(rolname, ', ' order by rolname) filter (where place <= 5), '')
		from (select rolname, row_number() over (order by rolname) as place from pg_roles
		      where rolname not in (session_user, $1) and rolname !~ '^pg_' and pg_has_role(session_user, oid, 'MEMBER')) as r`,
		[]any{i.options.AnonRole}, &count, &some)
	switch {
	case err != nil:
		return err
	case count == 0:
		i.report.add(Finding{name, Warn, "none is granted to the authenticator", "a token that names a role is refused", "GRANT <role> TO the user of db-uri"})
	case count > 5:
		i.report.ok(name, "%d, among them %s", count, some)
	default:
		i.report.ok(name, "%s", some)
	}
	return nil
}
