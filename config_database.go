package slipstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// WithDatabaseSettings returns the configuration with settings that were made in the database in the place of its own:
// they go before file, environment and flags, as in PostgREST. Names are PostgreSQL's: pgrst.db_schemas for
// db-schemas. An empty text stands for the default, so that callers apply [Config.WithDefaults] afterwards.
// app.settings.* are taken where c has none of that name.
//
// The warnings name settings that were ignored: unknown ones and options that need a restart. The error joins all
// problems, one line each; c is returned as it is then.
func (c Config) WithDatabaseSettings(settings map[string]string) (Config, []string, error) {
	s := databaseSettings{config: c, known: newNames()}
	s.config.AppSettings = maps.Clone(c.AppSettings)
	for _, name := range sortedKeys(settings) {
		s.set(name, settings[name])
	}
	if len(s.problems) == 0 {
		for _, conflict := range s.config.conflicts() {
			s.problems = append(s.problems, fmt.Errorf("with the settings in the database: %w", conflict))
		}
	}
	if len(s.problems) > 0 {
		return c, s.warnings, errors.Join(s.problems...)
	}
	return s.config, s.warnings, nil
}

// databaseSettings is a configuration under change.
type databaseSettings struct {
	config   Config
	known    names
	warnings []string
	problems []error
}

func (s *databaseSettings) set(setting, text string) {
	if member, ok := strings.CutPrefix(setting, pg.AppSettingPrefix); ok {
		s.setApp(member, text)
		return
	}
	key, _ := strings.CutPrefix(setting, pg.SettingPrefix)
	name := optionKey(key) // older names do not count here
	o, ok := s.known.options[name]
	switch {
	case !ok || o.own:
		s.warn("%s in the database is not an option of PostgREST and was ignored", setting)
		return
	case !o.inDatabase:
		s.warn("%s in the database was ignored; set %s in the file or the environment", setting, name)
		return
	}
	if err := apply(o, o.bind(&s.config), assignment{name: name, text: text}); err != nil {
		s.problems = append(s.problems, fmt.Errorf("%s in the database: %w", setting, err))
	}
}

// setApp adds one of app.settings. PostgreSQL has it in its sessions by itself, but only in those that begin later.
func (s *databaseSettings) setApp(member, text string) {
	for name := range s.config.AppSettings {
		if strings.EqualFold(name, member) {
			return
		}
	}
	settings{&s.config.AppSettings}.setMember(member, text)
}

func (s *databaseSettings) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

// FromDatabase reads the settings in the database that db-uri names, and returns the configuration with them. With
// db-config off it connects to nothing.
func (c Config) FromDatabase(ctx context.Context) (Config, []string, error) {
	if c.DisableDBConfig {
		return c, nil, nil
	}
	db, err := pg.Open(pg.Options{DSN: c.WithDefaults().DBURI})
	if err != nil {
		return c, nil, err
	}
	settings, err := c.readDatabase(ctx, db)
	if err != nil {
		return c, nil, err
	}
	return c.WithDatabaseSettings(settings)
}

// ErrDatabaseSettings is what went wrong when settings in the database could not be read, as opposed to being wrong.
var ErrDatabaseSettings = errors.New("read the settings in the database")

func (c Config) readDatabase(ctx context.Context, db *pg.DB) (map[string]string, error) {
	if c.DisableDBConfig {
		return nil, nil
	}
	settings, err := db.DatabaseSettings(ctx, databaseNames(), c.DBPreConfig)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDatabaseSettings, err)
	}
	return settings, nil
}

// databaseNames are the names of the options that can be set in the database, as PostgreSQL knows them.
func databaseNames() []string {
	var all []string
	for _, o := range optionTable() {
		if o.inDatabase {
			all = append(all, o.databaseName())
		}
	}
	return all
}

func (o option) databaseName() string {
	return pg.SettingPrefix + strings.ReplaceAll(o.name, "-", "_")
}
