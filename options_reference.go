package slipstream

import (
	"fmt"
	"strings"
)

const referenceIntro = `# Configuration

<!-- Generated from the table of options by "make generate": change options_table.go or options_server.go instead. -->

Options come from these places; each goes before the ones above it:

1. defaults;
2. ` + "`DATABASE_URL`, `OTEL_EXPORTER_OTLP_ENDPOINT`" + `, for the option that names them below;
3. a file: ` + "`--config FILE`, else `$SLIPSTREAM_CONFIG`, else `slipstream.yaml` in the working directory" + `;
4. PostgREST's environment variables, ` + "`PGRST_…`" + `;
5. our environment variables, ` + "`SLIPSTREAM_…`" + `;
6. flags, named like the options: ` + "`--db-pool 20`" + `;
7. the database, for the options that have a ` + "`pgrst.…`" + ` name below.

A file whose name ends in ` + "`.yaml`, `.yml` or `.json`" + ` is YAML, with the option names as keys: ` + "`db-pool: 20`" + `.
Any other file is in PostgREST's format: ` + "`db-pool = 20`, `db-schemas = \"api, private\"`" + `, with ` + "`$(NAME)`" + ` for environment
variables and ` + "`$$`" + ` for a dollar sign. The older names that PostgREST accepts work too.
An empty value stands for the default. An unknown name in YAML or after ` + "`SLIPSTREAM_`" + ` is an error; in PostgREST's
format and after ` + "`PGRST_`" + `, where PostgREST ignores it, it is a warning.

- **Lists** are YAML sequences, or text with commas. As in PostgREST, spaces around members do not count and there
  are no quotes: ` + "`public, my \"odd\" schema`" + ` has two members.
- **Durations** are seconds, or numbers with units: ` + "`10`, `500ms`, `5m`" + `.
- **Sizes** are bytes, or numbers with units: ` + "`4096`, `512KiB`, `1MiB`" + `.
- **Booleans** are ` + "`true` and `false`, also `1` and `0`" + `.

` + "`slipstream config`" + ` prints what is in effect, with secrets masked; ` + "`--dump`" + ` the same in PostgREST's format, to be
compared with what ` + "`postgrest --dump-config`" + ` prints; ` + "`--example`" + ` a file to start from, and ` + "`--schema`" + ` a JSON
Schema for editors. ` + "`slipstream check`" + ` tries it out against the database.
Options marked ↻ take effect on ` + "`SIGUSR2`" + ` or ` + "`NOTIFY pgrst, 'reload config'`" + `; the others need a restart.

## In the database

With ` + "`db-config`" + ` on, as it is by default, PostgREST's settings in the database work as they do there, and go before all
others. They are settings of the role that the server connects as:

` + "```sql" + `
ALTER ROLE authenticator SET pgrst.db_schemas = 'api, private';
ALTER ROLE authenticator IN DATABASE shop SET pgrst.db_max_rows = '1000'; -- goes before the one for all databases
NOTIFY pgrst, 'reload config';
` + "```" + `

` + "`ALTER DATABASE`" + ` has no effect. The function that ` + "`db-pre-config`" + ` names can set what the role does not:

` + "```sql" + `
CREATE FUNCTION configure() RETURNS void LANGUAGE sql AS $$
  SELECT set_config('pgrst.db_schemas', string_agg(nspname, ','), true) FROM pg_namespace WHERE nspname LIKE 'tenant\_%'
$$;
` + "```" + `

They are read at the start, and again with every reload of the configuration or of the schema. Wrong values end the
server at the start; later they are logged, and the old configuration stays. A function that is missing or fails is
waited for at the start. Listeners, pool, logs and everything else without a ` + "`pgrst.…`" + ` name cannot be set in the
database: PostgreSQL would have to be asked before it can be connected to, or a restart would be needed.
` + "`app.settings.NAME`" + ` of the role are passed on where no other place sets that name.
`

// ConfigReference is docs/configuration.md.
func ConfigReference() string {
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, s := range sections() {
		fmt.Fprintf(&b, "\n## %s\n", s.title)
		for _, o := range s.options {
			o.writeReference(&b)
		}
	}
	return b.String()
}

func (o option) writeReference(b *strings.Builder) {
	mark := ""
	if o.reloadable {
		mark = " ↻"
	}
	fmt.Fprintf(b, "\n### `%s`%s\n\n%s\n", o.name, mark, o.doc)
	if o.later {
		b.WriteString("*Accepted, no effect yet.*\n")
	}
	facts := []string{o.bind(new(Config)).kind(), "default " + o.quotedDefault(), "`" + strings.Join(o.variables(), "`, `") + "`"}
	if o.inDatabase {
		facts = append(facts, "`"+o.databaseName()+"`")
	}
	if len(o.older) > 0 {
		facts = append(facts, "older name `"+strings.Join(o.older, "`, `")+"`")
	}
	fmt.Fprintf(b, "\n> %s\n", strings.Join(facts, " · "))
}

func (o option) quotedDefault() string {
	if o.defaultNote != "" {
		return o.defaultNote
	}
	return "`" + o.defaultText + "`"
}

// variables are the option's names in the environment, strongest first.
func (o option) variables() []string {
	suffix := envKey(o.name)
	if o.name == appSettings {
		suffix += "_NAME"
	}
	v := []string{ownPrefix + suffix}
	if !o.own {
		v = append(v, postgrestPrefix+suffix)
	}
	if o.fallbackEnv != "" {
		v = append(v, o.fallbackEnv)
	}
	return v
}

// plainMarkdown drops the marks of code, for terminals and comments.
func plainMarkdown(s string) string { return strings.ReplaceAll(s, "`", "") }

// wrap breaks a paragraph into lines of about 100 characters, each behind a prefix.
func wrap(prefix, paragraph string) string {
	var b strings.Builder
	width := 0
	for _, word := range strings.Fields(paragraph) {
		if width > 0 && width+len(word) > 100 {
			b.WriteByte('\n')
			width = 0
		}
		if width == 0 {
			b.WriteString(prefix)
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		width += len(word) + 1
	}
	b.WriteByte('\n')
	return b.String()
}
