package pg

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The settings of a role that configure a server: PostgREST's, and those that its functions read.
const (
	// SettingPrefix begins the names of PostgREST's options in the database: pgrst.db_schemas.
	SettingPrefix = "pgrst."
	// AppSettingPrefix begins the names of the settings that are for functions: app.settings.name.
	AppSettingPrefix = "app.settings."
	// preConfigSetting names the pre-config function in the database itself.
	preConfigSetting = SettingPrefix + "db_pre_config"
)

// databaseSettingsTimeout bounds the reading, the pre-config function included.
const databaseSettingsTimeout = time.Minute

// DatabaseSettings reads the configuration that is kept in the database
// (https://docs.postgrest.org/en/stable/references/configuration.html#in-database-configuration), by name and as
// text: the login role's settings that begin with SettingPrefix or AppSettingPrefix, of which those for this database
// go before those for all, and of names those that the function preConfig, if not empty, sets and the role does not.
// The role can name another function by pgrst.db_pre_config.
//
// It uses a connection of its own: those of the pool still have the settings of the time at which they were opened.
// DB need not be running. Errors are *ConnectError when no connection could be had, and *Error when
// the server refused, as where preConfig does not exist or fails.
func (db *DB) DatabaseSettings(ctx context.Context, names []string, preConfig string) (settings map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, databaseSettingsTimeout)
	defer cancel()
	config := db.config.ConnConfig.Copy()
	config.RuntimeParams["application_name"] = db.options.ApplicationName + " configuration"
	if err := db.lookout.steer(ctx, config); err != nil {
		return nil, &ConnectError{err}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, &ConnectError{err}
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		settings, err = loadDatabaseSettings(ctx, tx, names, preConfig)
		return err
	})
	return settings, err
}

// loadDatabaseSettings must run in a transaction, with which what the pre-config function sets is undone.
func loadDatabaseSettings(ctx context.Context, tx pgx.Tx, names []string, preConfig string) (map[string]string, error) {
	const ofRole = `
select distinct on (1) lower(split_part(s.setting, '=', 1)), substr(s.setting, strpos(s.setting, '=') + 1)
from pg_catalog.pg_db_role_setting r
cross join lateral unnest(r.setconfig) s(setting)
where r.setrole = (select oid from pg_catalog.pg_roles where rolname = current_user)
  and r.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
  and (starts_with(lower(s.setting), $1) or starts_with(lower(s.setting), $2))
order by 1, r.setdatabase desc`
	settings := map[string]string{}
	if err := addSettings(ctx, tx, settings, ofRole, SettingPrefix, AppSettingPrefix); err != nil {
		return nil, fmt.Errorf("read the settings of the role: %w", serverError(err))
	}
	if name, ok := settings[preConfigSetting]; ok {
		preConfig = name
	}
	if preConfig == "" {
		return settings, nil
	}
	if _, err := tx.Exec(ctx, "select from "+quoteFunction(preConfig)+"()"); err != nil {
		return nil, fmt.Errorf("call the pre-config function %s: %w", preConfig, serverError(err))
	}
	const ofFunction = `
select name, current_setting(name, true) from unnest($1::text[]) name where current_setting(name, true) is not null`
	if err := addSettings(ctx, tx, settings, ofFunction, names); err != nil {
		return nil, fmt.Errorf("read the settings of the pre-config function: %w", serverError(err))
	}
	return settings, nil
}

// addSettings adds the names and values of a query, except where there is a value already.
func addSettings(ctx context.Context, tx pgx.Tx, to map[string]string, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		if _, ok := to[name]; !ok {
			to[name] = value
		}
		return nil
	})
	return err
}

// quoteFunction quotes a name as options give it: schema.name, or a name to be found on the search path.
func quoteFunction(name string) string {
	return pgx.Identifier(strings.SplitN(name, ".", 2)).Sanitize()
}
