package slipstream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slipstream-go/slipstream/internal/nearest"
)

const (
	appSettings     = "app.settings"
	relationsOption = "relations"
	limitsOption    = "limits"
)

// names resolves what users call an option to the option's name.
type names struct {
	// byKey has the names, PostgREST's older ones too.
	byKey   map[string]string
	options map[string]option
}

func newNames() names {
	n := names{byKey: map[string]string{}, options: map[string]option{}}
	for _, o := range optionTable() {
		n.byKey[o.name] = o.name
		n.options[o.name] = o
		for _, older := range o.older {
			n.byKey[older] = o.name
		}
	}
	return n
}

// resolve returns the option's name, and what follows app.settings.
func (n names) resolve(key string) (name, member string, ok bool) {
	if member, ok := strings.CutPrefix(key, appSettings+"."); ok && member != "" {
		return appSettings, member, true
	}
	name, ok = n.byKey[key]
	return name, "", ok
}

// isMapping tells whether an option's value is a mapping of names to texts.
func (n names) isMapping(name string) bool {
	o, ok := n.options[name]
	if !ok || o.bind == nil {
		return false
	}
	_, ok = o.bind(new(Config)).(mapping)
	return ok
}

// retired are options of PostgREST that have lost their effect, there or here: they are ignored with a warning, so
// that an old file keeps working.
func retired(key string) bool {
	switch key {
	case "jwt-cache-max-lifetime", "raw-media-types", "db-timezone-enabled", "db-use-legacy-gucs", "server-otel-enabled":
		return true
	}
	return strings.HasPrefix(key, "internal-")
}

// unknown says that a key names no option, and which one it may have meant; spell turns an option's name into what the
// user would write.
func (n names) unknown(key string, spell func(string) string) error {
	best := nearest.Name(key, sortedKeys(n.byKey))
	if best == "" {
		return errors.New("there is no such option; see docs/configuration.md for the names")
	}
	return fmt.Errorf("there is no such option; did you mean %s?", spell(best))
}
