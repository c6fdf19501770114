package slipstream

import "strings"

func (l *loader) flags(flags map[string][]string) {
	for _, flag := range sortedKeys(flags) {
		name, _, ok := l.known.resolve(flag)
		if !ok {
			l.problem("--"+flag, "%w", l.known.unknown(flag, func(name string) string { return "--" + name }))
			continue
		}
		for _, text := range flags[flag] {
			l.flag(assignment{name: name, text: text, place: "--" + flag})
		}
	}
}

func (l *loader) flag(a assignment) {
	if a.name == appSettings {
		var ok bool
		if a.member, a.text, ok = strings.Cut(a.text, "="); !ok || a.member == "" {
			l.problem(a.place, "write NAME=TEXT")
			return
		}
	}
	l.assign(a)
}
