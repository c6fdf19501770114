package idemkey

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

//go:embed install.sql
var installSQL string

//go:embed uninstall.sql
var uninstallSQL string

// InstallScript is the SQL that makes the table and its functions, for the role that the server connects as. It may be
// run again; what is stored stays.
func InstallScript(loginRole string) string {
	return strings.ReplaceAll(installSQL, "LOGIN_ROLE", quoteLiteral(loginRole))
}

// UninstallScript is the SQL that removes them, with all stored answers.
func UninstallScript() string { return uninstallSQL }

// Install runs InstallScript in one transaction, on a connection of a superuser or of the database's owner.
func Install(ctx context.Context, dsn, loginRole string) error {
	if loginRole == "" {
		return errors.New("the role that the server connects as is not named")
	}
	if err := pg.ExecScript(ctx, dsn, InstallScript(loginRole)); err != nil {
		return fmt.Errorf("install idempotency keys: %w", err)
	}
	return nil
}

// Uninstall runs UninstallScript. It does nothing where nothing is installed.
func Uninstall(ctx context.Context, dsn string) error {
	if err := pg.ExecScript(ctx, dsn, uninstallSQL); err != nil {
		return fmt.Errorf("uninstall idempotency keys: %w", err)
	}
	return nil
}

// Installed reports whether the login role can use the functions.
func Installed(ctx context.Context, q pg.Querier) (installed bool, err error) {
	const sql = `
select count(distinct p.proname) = 3
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'slipstream' and p.proname in ('idempotency_begin', 'idempotency_store', 'idempotency_answer')
  and has_schema_privilege(session_user, n.oid, 'usage') and has_function_privilege(session_user, p.oid, 'execute')`
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return false, fmt.Errorf("look for the functions of idempotency keys: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(&installed); err != nil {
			return false, err
		}
	}
	return installed, rows.Err()
}

func quoteLiteral(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
