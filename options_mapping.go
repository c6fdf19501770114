package slipstream

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// mapping is a mapping of names to texts. In flags, variables and PostgREST's file format it is written as JSON.
type mapping struct {
	p *map[string]string
	// what it maps, for the documentation.
	what string
	// judge says what is wrong with an entry.
	judge func(name, text string) error
}

func (v mapping) set(s string) error {
	*v.p = nil
	file, err := parser.ParseBytes([]byte(s), 0)
	if err != nil {
		return fmt.Errorf("neither JSON nor YAML: %s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
	entries := map[string]string{}
	for _, doc := range file.Docs {
		nodes, ok := mappingOf(doc.Body)
		if !ok {
			return fmt.Errorf("write a mapping of names to texts, such as {orders: critical}")
		}
		for _, e := range nodes {
			text, ok := scalarText(e.Value)
			if !ok {
				return fmt.Errorf("%s: %w", keyText(e), errNoScalar)
			}
			entries[keyText(e)] = text
		}
	}
	if len(entries) > 0 {
		*v.p = entries
	}
	return nil
}

func (v mapping) check() error {
	for _, name := range sortedKeys(*v.p) {
		if err := v.judge(name, (*v.p)[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (v mapping) String() string {
	b, err := yaml.MarshalWithOptions(v.plain(), yaml.JSON())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (v mapping) unset() bool  { return len(*v.p) == 0 }
func (v mapping) kind() string { return v.what }

func (v mapping) schema() map[string]any {
	return map[string]any{"type": []string{"object", "string"}, "additionalProperties": map[string]any{"type": []string{"string", "integer"}}}
}

func (v mapping) plain() any {
	all := yaml.MapSlice{}
	for _, name := range sortedKeys(*v.p) {
		all = append(all, yaml.MapItem{Key: name, Value: (*v.p)[name]})
	}
	return all
}
