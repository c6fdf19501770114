package check

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// minVersion is PostgREST v16's: PostgreSQL 14.
const minVersion = 140000

func (i inspection) connection(ctx context.Context) error {
	var user, database, address, cipher string
	var local, tls bool
	err := i.row(ctx, `
		select current_user, current_database(), coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'a Unix socket'),
		       coalesce(inet_server_addr() = inet_client_addr() or inet_server_addr() << '127.0.0.0/8', true),
		       coalesce(s.ssl, false), coalesce(s.version || ', ' || s.cipher, '')
		from (select pg_backend_pid() as pid) as b left join pg_stat_ssl as s using (pid)`, nil,
		&user, &database, &address, &local, &tls, &cipher)
	if err != nil {
		return err
	}
	found := fmt.Sprintf("%s at %s, database %s", user, address, database)
	switch {
	case tls:
		i.report.ok("connection", "%s, %s", found, cipher)
	case local:
		i.report.ok("connection", "%s", found)
	default:
		i.report.add(Finding{"connection", Warn, found + ", without TLS", "data and passwords can be read on the way",
			"add sslmode=verify-full to db-uri, and ssl = on to the server"})
	}
	return nil
}

func (i inspection) version(ctx context.Context) error {
	var number int
	var name string
	if err := i.row(ctx, `select current_setting('server_version_num')::int, current_setting('server_version')`, nil, &number, &name); err != nil {
		return err
	}
	if number < minVersion {
		i.report.add(Finding{"server version", Fail, name, "statements use what PostgreSQL has since version 14", "upgrade the server to 14 or later"})
		return nil
	}
	i.report.ok("server version", "%s", name)
	return nil
}

func (i inspection) statementTimeout(ctx context.Context) error {
	var session, anon string
	err := i.row(ctx, `
		select current_setting('statement_timeout'), coalesce((
			select split_part(c, '=', 2) from pg_roles, unnest(rolconfig) as c
			where rolname = $1 and c like 'statement_timeout=%'), '')`, []any{i.options.AnonRole}, &session, &anon)
	if err != nil {
		return err
	}
	var bounds []string
	if i.options.StatementTimeout > 0 {
		bounds = append(bounds, i.options.StatementTimeout.Round(time.Millisecond).String()+" by db-statement-timeout")
	}
	if session != "0" {
		bounds = append(bounds, session+" by the database")
	}
	if anon != "" && anon != "0" {
		bounds = append(bounds, anon+" for "+i.options.AnonRole)
	}
	if len(bounds) > 0 {
		i.report.ok("statement timeout", "%s", strings.Join(bounds, ", "))
		return nil
	}
	i.report.add(Finding{"statement timeout", Warn, "none", "one slow request can keep a connection for as long as it likes",
		"set db-statement-timeout, or ALTER ROLE … SET statement_timeout for the roles of callers"})
	return nil
}

func (i inspection) connections(ctx context.Context) error {
	var most, reserved, used, role int
	err := i.row(ctx, `
		select current_setting('max_connections')::int,
		       current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0),
		       (select count(*)::int - 1 from pg_stat_activity where backend_type = 'client backend'),
		       (select rolconnlimit from pg_roles where rolname = current_user)`, nil, &most, &reserved, &used, &role)
	if err != nil {
		return err
	}
	const listener = 1
	need, limit := i.options.Pool+listener, most-reserved
	found := fmt.Sprintf("%d wanted (db-pool and one to listen), %d possible, %d in use now", need, limit, used)
	if role >= 0 {
		limit = min(limit, role)
		found += ", " + strconv.Itoa(role) + " for this role"
	}
	if need > limit {
		i.report.add(Finding{"connections", Warn, found, "under load requests end with 503, because the server refuses more connections",
			fmt.Sprintf("set db-pool to %d at most, or raise max_connections and the role's limit", max(limit-listener, 1))})
		return nil
	}
	i.report.ok("connections", "%s", found)
	return nil
}
