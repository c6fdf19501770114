package slipstream

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// uris are connection strings. They may have commas, and so are told apart by white space.
type uris struct{ p *[]string }

func (v uris) set(s string) error {
	*v.p = nil
	if all := strings.Fields(s); len(all) > 0 {
		*v.p = all
	}
	return nil
}

func (v uris) setItems(items []string) { *v.p = items }

// check does not repeat a value, which may hold a password.
func (v uris) check() error {
	for i, s := range *v.p {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || strings.ContainsAny(s, " \t\n") {
			return errors.New("a member is no connection URI; write postgres://user@host:5432/database")
		}
		if slices.Contains((*v.p)[:i], s) {
			return errors.New("a member is there twice; remove one")
		}
	}
	return nil
}

func (v uris) String() string { return strings.Join(*v.p, " ") }
func (v uris) unset() bool    { return len(*v.p) == 0 }
func (v uris) kind() string   { return "list of URIs, as text with spaces between them" }
func (v uris) schema() map[string]any {
	return map[string]any{"type": []string{"array", "string"}, "items": map[string]any{"type": "string"}}
}
func (v uris) plain() any { return slices.Clone(*v.p) }
