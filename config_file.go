package slipstream

import (
	"os"
	"path/filepath"
	"strings"
)

// file reads a file of either format.
func (l *loader) file(path string, env map[string]string) {
	source, err := os.ReadFile(path)
	if err != nil {
		l.problems = append(l.problems, err)
		return
	}
	f := fileReader{loader: l, path: path, lines: map[string]int{}}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".json":
		f.yaml(source)
	default:
		f.lenient = true
		f.conf(string(source), env)
	}
}

// fileReader is a loader with a place in a file.
type fileReader struct {
	*loader
	path string
	// lenient readers only warn of unknown keys, as PostgREST ignores them.
	lenient bool
	lines   map[string]int // where each option was set, by name and member
}

// key resolves a key at a position. What is not ok has been reported.
func (f *fileReader) key(key string, line, column int) (a assignment, ok bool) {
	at := position(f.path, line, column)
	a.name, a.member, ok = f.known.resolve(key)
	switch {
	case !ok && retired(key):
		f.warn("%s: %s has no effect and was ignored", at, key)
		return a, false
	case !ok && f.lenient:
		f.warn("%s: %s was ignored: %v", at, key, f.known.unknown(key, spellName))
		return a, false
	case !ok:
		f.problem(at+": "+key, "%w", f.known.unknown(key, spellName))
		return a, false
	}
	a.place = at + ": " + key
	return a, !f.repeated(a, line)
}

func (f *fileReader) repeated(a assignment, line int) bool {
	id := a.name + "\n" + strings.ToLower(a.member)
	first, seen := f.lines[id]
	if seen {
		f.problem(a.place, "already set on line %d; remove one of the two", first)
		return true
	}
	f.lines[id] = line
	return false
}

func spellName(name string) string { return name }
