package slipstream

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dump is the configuration in PostgREST's file format, one line for each of PostgREST's options in the order in which
// postgrest --dump-config has them, so that the two can be compared. Without secrets, those are masked; with them, the
// text can be read back. Options that PostgREST has not are left out.
func (c Config) Dump(secrets bool) string {
	var lines []string
	for _, o := range optionTable() {
		switch {
		case o.own:
		case o.name == appSettings:
			for name, text := range c.AppSettings {
				lines = append(lines, appSettings+"."+name+" = "+dumpText(hidden(text, secrets)))
			}
		default:
			lines = append(lines, o.name+" = "+o.dump(&c, secrets))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func (o option) dump(c *Config, secrets bool) string {
	v := o.bind(c)
	switch plain := v.plain().(type) {
	case bool:
		return strconv.FormatBool(plain)
	case int, int64:
		if !v.unset() {
			return fmt.Sprint(plain)
		}
	case []string:
		return dumpText(strings.Join(plain, ","))
	case string:
		if o.secret {
			plain = hidden(plain, secrets)
		}
		return dumpText(plain)
	}
	return `""`
}

func hidden(text string, secrets bool) string {
	if secrets {
		return text
	}
	return maskedText(text)
}

// dumpText quotes a text for confScanner. Of what it escapes, PostgREST escapes the quotes, and the dollars of
// jwt-role-claim-key.
func dumpText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
