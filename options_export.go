package slipstream

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/goccy/go-yaml"
)

// Option describes an option of [Config] to command lines and other tools.
type Option struct {
	// Name is the key in files and the name of the flag.
	Name string
	// Section is the heading that it belongs under.
	Section string
	// Type describes what may be written, such as "integer" or "one of a, b".
	Type string
	// Boolean options may be given as a flag without text.
	Boolean bool
	// Repeated options may be given as a flag several times.
	Repeated bool
	// Default is the text of the default, or a description of it.
	Default string
	// Doc says what the option does, as one paragraph of Markdown.
	Doc string
	// Secret values never appear in logs and dumps.
	Secret bool
	// Reloadable options take effect without a restart.
	Reloadable bool
	// Later options are accepted and checked, but have no effect yet.
	Later bool
}

// Options lists all options in the order of the documentation.
func Options() []Option {
	var all []Option
	for _, s := range sections() {
		for _, o := range s.options {
			all = append(all, o.export(s.title))
		}
	}
	return all
}

func (o option) export(section string) Option {
	v := o.bind(new(Config))
	return Option{
		Name: o.name, Section: section, Type: v.kind(), Boolean: v.kind() == "boolean", Repeated: o.name == appSettings,
		Default: o.describeDefault(), Doc: o.doc, Secret: o.secret, Reloadable: o.reloadable, Later: o.later,
	}
}

func (o option) describeDefault() string {
	if o.defaultNote != "" {
		return o.defaultNote
	}
	return o.defaultText
}

const mask = "********"

// YAML is the configuration in the format of slipstream.yaml, with all secrets masked.
func (c Config) YAML() string {
	var all yaml.MapSlice
	for _, o := range optionTable() {
		v := o.bind(&c)
		if v.unset() && o.defaultText == "" {
			continue
		}
		plain := v.plain()
		if o.secret {
			plain = masked(plain)
		} else if s, ok := plain.(string); ok {
			plain = withoutPassword(s)
		}
		all = append(all, yaml.MapItem{Key: o.name, Value: plain})
	}
	b, err := yaml.Marshal(all)
	if err != nil {
		return "# " + err.Error() + "\n"
	}
	return string(b)
}

// masked hides a secret, and of a connection string the password only.
func masked(plain any) any {
	switch plain := plain.(type) {
	case map[string]string:
		for name := range plain {
			plain[name] = mask
		}
		return plain
	case string:
		return maskedText(plain)
	}
	return mask
}

// connectionScheme is of URLs in which only the password is secret.
var connectionScheme = map[string]bool{
	"postgres": true, "postgresql": true, "redis": true, "rediss": true, "valkey": true, "valkeys": true, "unix": true,
}

func maskedText(s string) string {
	u, err := url.Parse(s)
	if s == "" {
		return s
	}
	if err != nil || !connectionScheme[u.Scheme] {
		return mask
	}
	_, inUser := u.User.Password()
	if !inUser && !strings.Contains(u.RawQuery, "password") {
		return s
	}
	if inUser {
		u.User = url.UserPassword(u.User.Username(), mask)
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(name, "password") {
			query.Set(name, mask)
		}
	}
	u.RawQuery = query.Encode()
	return strings.ReplaceAll(u.String(), url.QueryEscape(mask), mask)
}

// withoutPassword masks the password in an address of some service; any other text stays as it is.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return s
	}
	if _, ok := u.User.Password(); !ok {
		return s
	}
	u.User = url.UserPassword(u.User.Username(), mask)
	return strings.ReplaceAll(u.String(), url.QueryEscape(mask), mask)
}

// ConfigExample is a slipstream.yaml in which every option is explained and commented out.
func ConfigExample() string {
	var b strings.Builder
	b.WriteString("# Every option of Slipstream; those behind a # show their defaults.\n")
	for _, s := range sections() {
		fmt.Fprintf(&b, "\n# %s\n# %s\n", s.title, strings.Repeat("-", len(s.title)))
		for _, o := range s.options {
			fmt.Fprintf(&b, "\n%s#%s\n", wrap("# ", plainMarkdown(o.doc)), exampleLine(o))
		}
	}
	return b.String()
}

func exampleLine(o option) string {
	if o.defaultText == "" {
		return fmt.Sprintf("%s: # %s", o.name, plainMarkdown(o.describeDefault()))
	}
	var c Config
	v := o.bind(&c)
	_ = v.set(o.defaultText)
	line, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: o.name, Value: v.plain()}}, yaml.Flow(true))
	if err != nil {
		return o.name + ":"
	}
	return strings.Trim(strings.TrimSpace(string(line)), "{}")
}

// ConfigSchema is the JSON Schema of slipstream.yaml, for editors.
func ConfigSchema() []byte {
	properties := map[string]any{}
	for _, o := range optionTable() {
		p := o.bind(new(Config)).schema()
		p["description"] = o.doc
		properties[o.name] = p
		for _, older := range o.older {
			properties[older] = map[string]any{"$ref": "#/properties/" + o.name, "deprecated": true}
		}
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Slipstream", "type": []string{"object", "null"},
		"properties": properties, "additionalProperties": false,
		"patternProperties": map[string]any{`^app\.settings\..+$`: map[string]any{"type": []string{"string", "number", "boolean"}}},
	}, "", "  ")
	if err != nil {
		return nil
	}
	return append(b, '\n')
}
