package feed

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

// InstallScript is the SQL that prepares a database: it makes the publication DefaultPublication, event triggers and
// their functions, and gives loginRole the right REPLICATION. Published are the tables of the schemas; of all, without
// any. It may be run again, with other schemas, too.
func InstallScript(loginRole string, schemas []string) string {
	list := "null"
	if len(schemas) > 0 {
		quoted := make([]string, len(schemas))
		for i, s := range schemas {
			quoted[i] = quoteLiteral(s)
		}
		list = "array[" + strings.Join(quoted, ", ") + "]"
	}
	return strings.NewReplacer("LOGIN_ROLE", quoteLiteral(loginRole), "SCHEMAS", list).Replace(installSQL)
}

// UninstallScript is the SQL that removes all that InstallScript made.
func UninstallScript() string { return uninstallSQL }

// Install runs InstallScript in one transaction, on a connection of a superuser.
func Install(ctx context.Context, dsn, loginRole string, schemas []string) error {
	if loginRole == "" {
		return errors.New("the role that the server connects as is not named")
	}
	if err := pg.ExecScript(ctx, dsn, InstallScript(loginRole, schemas)); err != nil {
		return fmt.Errorf("install the change feed: %w", err)
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
