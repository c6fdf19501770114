package feed

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

var (
	//go:embed install_wal.sql
	installWALSQL string
	//go:embed install_notify.sql
	installNotifySQL string
	// installSharedSQL is a part of both.
	//go:embed install_shared.sql
	installSharedSQL string
	//go:embed uninstall.sql
	uninstallSQL string
)

// InstallScript is the SQL that prepares a database for the mode WAL: it makes the publication DefaultPublication, event
// triggers and their functions, and gives loginRole the right REPLICATION. Published are the tables of the schemas; of all,
// without any. It may be run again, with other schemas, too, and undoes what InstallNotifyScript did.
func InstallScript(loginRole string, schemas []string) string {
	return script(installWALSQL, "LOGIN_ROLE", quoteLiteral(loginRole), "SCHEMAS", listOf(schemas))
}

// InstallNotifyScript is the SQL that prepares a database for the mode Notify: it makes a trigger on each table of the
// schemas, or of all, and event triggers and their functions. Its last statement commits many transactions. It may be run
// again, and undoes what InstallScript did, but for the right REPLICATION.
func InstallNotifyScript(schemas []string) string {
	return script(installNotifySQL, "SCHEMAS", listOf(schemas)) + "\n" + watchTables + ";\n"
}

// watchTables is a script of its own: statements that are sent together are one transaction.
const watchTables = "call slipstream.cache_watch()"

func script(sql string, replace ...string) string {
	return strings.NewReplacer(replace...).Replace(strings.Replace(sql, "SHARED\n", installSharedSQL, 1))
}

// listOf is an array of names, or null where there are none.
func listOf(schemas []string) string {
	if len(schemas) == 0 {
		return "null"
	}
	quoted := make([]string, len(schemas))
	for i, s := range schemas {
		quoted[i] = quoteLiteral(s)
	}
	return "array[" + strings.Join(quoted, ", ") + "]"
}

// UninstallScript is the SQL that removes all that InstallScript and InstallNotifyScript made.
func UninstallScript() string { return uninstallSQL }

// Install runs InstallScript in one transaction, on a connection of a superuser.
func Install(ctx context.Context, dsn, loginRole string, schemas []string) error {
	if loginRole == "" {
		return errors.New("the role that the server connects as is not named")
	}
	return install(ctx, dsn, InstallScript(loginRole, schemas))
}

// InstallNotify runs InstallNotifyScript, on a connection of a superuser. Where writers keep tables locked, it fails after
// ten tries, and can be repeated.
func InstallNotify(ctx context.Context, dsn string, schemas []string) error {
	return install(ctx, dsn, script(installNotifySQL, "SCHEMAS", listOf(schemas)), watchTables)
}

func install(ctx context.Context, dsn string, scripts ...string) error {
	for _, sql := range scripts {
		if err := pg.ExecScript(ctx, dsn, sql); err != nil {
			return fmt.Errorf("install the change feed: %w", err)
		}
	}
	return nil
}

// Uninstall runs UninstallScript. It does nothing where nothing is installed.
func Uninstall(ctx context.Context, dsn string) error {
	if err := pg.ExecScript(ctx, dsn, uninstallSQL); err != nil {
		return fmt.Errorf("uninstall the change feed: %w", err)
	}
	return nil
}

func quoteLiteral(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
