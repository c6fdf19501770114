package slipstream

import (
	"regexp"
	"strings"
)

const (
	ownPrefix       = "SLIPSTREAM_"
	postgrestPrefix = "PGRST_"
	// FileVariable names the configuration file in the environment.
	FileVariable = "SLIPSTREAM_CONFIG"
)

// environ maps variables to texts. As in a shell, the first of two equal names counts.
func environ(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, e := range env {
		name, text, _ := strings.Cut(e, "=")
		if _, ok := m[name]; !ok {
			m[name] = text
		}
	}
	return m
}

// fallbacks are variables that belong to other programs and to conventions of hosting platforms.
func (l *loader) fallbacks(env map[string]string) {
	for _, o := range optionTable() {
		if text := env[o.fallbackEnv]; text != "" {
			l.assign(assignment{name: o.name, text: text, place: o.fallbackEnv})
		}
	}
}

// reserved are variables of ours that are no options: internal/devdb's is the place of PostgreSQL's programs.
func reserved(variable string) bool {
	return variable == FileVariable || variable == "SLIPSTREAM_PG_BINDIR"
}

// kubernetes matches the variables that Kubernetes puts into every pod for a service named slipstream….
var kubernetes = regexp.MustCompile(`^SLIPSTREAM_(.*_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+)=|^SLIPSTREAM_(.*_)?PORT=(tcp|udp|sctp)://`)

func (l *loader) environment(env map[string]string) {
	variables := sortedKeys(env)
	for _, v := range variables {
		if key, ok := strings.CutPrefix(v, postgrestPrefix); ok {
			l.postgrestVariable(v, key, env[v])
		}
	}
	for _, v := range variables {
		key, ok := strings.CutPrefix(v, ownPrefix)
		if ok && !reserved(v) && !kubernetes.MatchString(v+"="+env[v]) {
			l.ownVariable(v, key, env[v])
		}
	}
}

func (l *loader) postgrestVariable(variable, key, text string) {
	a, ok := l.variable(key)
	switch {
	case retired(optionKey(key)):
		l.warn("%s has no effect and was ignored", variable)
	case !ok || l.known.options[a.name].own:
		l.warn("%s is not an option of PostgREST and was ignored", variable)
	case l.byName[a.name].place == postgrestPrefix+envKey(a.name):
		// The current name goes before an older one.
	default:
		a.text, a.place = text, variable
		l.assign(a)
	}
}

func (l *loader) ownVariable(variable, key, text string) {
	a, ok := l.variable(key)
	if !ok {
		l.problem(variable, "%w", l.known.unknown(optionKey(key), ownVariableName))
		return
	}
	a.text, a.place = text, variable
	l.assign(a)
}

// variable resolves the part of a variable's name after the prefix.
func (l *loader) variable(key string) (assignment, bool) {
	if member, ok := strings.CutPrefix(key, "APP_SETTINGS_"); ok && member != "" {
		return assignment{name: appSettings, member: member}, true
	}
	name, _, ok := l.known.resolve(optionKey(key))
	return assignment{name: name}, ok && name != appSettings
}

func ownVariableName(name string) string {
	if name == appSettings {
		name += ".NAME"
	}
	return ownPrefix + envKey(name)
}

// envKey turns db-pool into DB_POOL.
func envKey(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// optionKey turns DB_POOL into db-pool.
func optionKey(variable string) string {
	return strings.ReplaceAll(strings.ToLower(variable), "_", "-")
}
