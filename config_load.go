package slipstream

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Sources are where a configuration comes from. Flags go before the environment, which goes before the file, which
// goes before the defaults.
type Sources struct {
	// File is the path of a file, or empty for none. Names that end in .yaml, .yml or .json are YAML; any other file
	// is in PostgREST's format.
	File string
	// Env is the environment, as os.Environ gives it: SLIPSTREAM_ variables go before PGRST_ ones, and those before
	// DATABASE_URL and other programs' variables, which are used only when no source sets the option.
	Env []string
	// Flags are texts by option name; the last text counts. Those of app.settings are NAME=TEXT and all count.
	Flags map[string][]string
}

// Load reads a configuration and checks it. The warnings name settings that were ignored. The error joins all
// problems, one line each, and says where the setting stands and what to write instead. Values of db-uri and of
// secrets that begin with @ are read from the file of that name; the rest of the result is as written, so that
// callers apply [Config.WithDefaults].
func Load(src Sources) (c Config, warnings []string, err error) {
	l := loader{known: newNames(), byName: map[string]assignment{}, members: map[string]assignment{}}
	env := environ(src.Env)
	l.fallbacks(env)
	if src.File != "" {
		l.file(src.File, env)
	}
	l.environment(env)
	l.flags(src.Flags)
	c = l.config()
	if len(l.problems) == 0 {
		l.problems = c.conflicts()
	}
	return c, l.warnings, errors.Join(l.problems...)
}

// assignment is a text that some source gives an option.
type assignment struct {
	name string
	// member is what follows app.settings.
	member string
	text   string
	items  []string // of a YAML sequence, when isList
	isList bool
	// place begins messages: file:line:column: name, or the name of a variable or a flag.
	place string
}

// loader gathers assignments, weakest source first.
type loader struct {
	known    names
	byName   map[string]assignment
	members  map[string]assignment // of app.settings, by lower-case name
	warnings []string
	problems []error
}

func (l *loader) assign(a assignment) {
	if a.name == appSettings && a.member != "" {
		l.members[strings.ToLower(a.member)] = a
		return
	}
	l.byName[a.name] = a
}

func (l *loader) problem(place, format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf("%s: %w", place, fmt.Errorf(format, args...)))
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// config applies what was gathered.
func (l *loader) config() Config {
	var c Config
	for _, o := range optionTable() {
		a, ok := l.byName[o.name]
		if !ok {
			continue
		}
		if err := apply(o, o.bind(&c), a); err != nil {
			l.problem(a.place, "%w", err)
		}
	}
	for _, key := range sortedKeys(l.members) {
		m := l.members[key]
		s := settings{&c.AppSettings}
		s.setMember(m.member, m.text)
		if err := s.check(); err != nil {
			l.problem(m.place, "%w", err)
			delete(c.AppSettings, m.member)
		}
	}
	return c
}

func apply(o option, v value, a assignment) error {
	if a.isList {
		into, ok := v.(interface{ setItems(items []string) })
		if !ok {
			return errors.New("a list is not possible here; write a single value")
		}
		into.setItems(a.items)
		return v.check()
	}
	text := a.text
	if path, ok := strings.CutPrefix(text, "@"); ok && o.secret {
		content, err := secretFile(path)
		if err != nil {
			return err
		}
		text = content
		if o.name == "db-uri" {
			text = strings.TrimSpace(text) // here PostgREST drops more than one newline
		}
	}
	if err := v.set(text); err != nil {
		return err
	}
	return v.check()
}

// secretFile reads what an option keeps outside the configuration. As in PostgREST the final newline does not count.
func secretFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the file named after @: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
