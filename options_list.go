package slipstream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// list is comma-separated text. PostgREST knows no quoting there: members are trimmed, whatever else they hold.
type list struct {
	p *[]string
	// emptyOK makes an empty text an empty list instead of the default.
	emptyOK bool
}

func (v list) set(s string) error {
	switch {
	case s == "" && v.emptyOK:
		*v.p = []string{}
	case s == "":
		*v.p = nil
	default:
		*v.p = strings.Split(s, ",")
		for i, m := range *v.p {
			(*v.p)[i] = strings.TrimSpace(m)
		}
	}
	return nil
}

func (v list) check() error {
	if slices.Contains(*v.p, "") {
		return errors.New("a member is empty; remove the surplus comma")
	}
	return nil
}

func (v list) setItems(items []string) { *v.p = items }

func (v list) String() string { return strings.Join(*v.p, ",") }
func (v list) unset() bool    { return *v.p == nil }
func (v list) kind() string   { return "list" }
func (v list) schema() map[string]any {
	return map[string]any{"type": []string{"array", "string"}, "items": map[string]any{"type": "string"}}
}
func (v list) plain() any { return slices.Clone(*v.p) }

// settings are the members of app.settings, each of which is an option of its own to PostgREST.
type settings struct{ p *map[string]string }

func (v settings) set(string) error {
	return errors.New("names are missing; write a mapping of names to texts")
}

// setMember sets one of them. PostgreSQL folds the case of setting names, so a later spelling replaces an earlier one.
func (v settings) setMember(name, text string) {
	if *v.p == nil {
		*v.p = map[string]string{}
	}
	maps.DeleteFunc(*v.p, func(k, _ string) bool { return strings.EqualFold(k, name) })
	(*v.p)[name] = text
}

func (v settings) check() error {
	for name := range *v.p {
		if !settingName(name) {
			return fmt.Errorf("%q cannot name a setting; use letters, digits, underscores, dollar signs and dots", name)
		}
	}
	return nil
}

func settingName(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.Trim(part[:1], "0123456789$") == "" {
			return false
		}
		for _, r := range part {
			letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
			if !letter && r != '_' && r != '$' && r < 0x80 {
				return false
			}
		}
	}
	return true
}

func (v settings) String() string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(*v.p)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name + "=" + (*v.p)[name])
	}
	return b.String()
}

func (v settings) unset() bool  { return len(*v.p) == 0 }
func (v settings) kind() string { return "texts by name" }
func (v settings) schema() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": []string{"string", "number", "boolean"}}}
}
func (v settings) plain() any { return maps.Clone(*v.p) }
