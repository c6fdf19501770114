package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// frame is docs/benchmarks.md with places for the sections.
//
//go:embed benchmarks.md
var frame string

// sections are the names of what runs write, and what measures them.
var sections = map[string]string{
	"rates": "make bench", "streams": "make bench-stream", "inserts": "make bench-inserts", "bulk": "make bench-bulk",
	"cache": "make bench-cache", "load": "make bench-load", "overload": "make bench-overload",
}

// updateDocument replaces one section of the file and keeps the others.
func updateDocument(file, section, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("update the report: %w", err)
	}
	if err := os.WriteFile(file, []byte(document(string(old), section, text)), 0o644); err != nil {
		return fmt.Errorf("update the report: %w", err)
	}
	return nil
}

// document puts the new text of a section and what old holds of the others into the frame.
func document(old, section, text string) string {
	out := frame
	for name, command := range sections {
		content := "Not measured yet: run `" + command + "`.\n"
		if name == section {
			content = text
		} else if kept, ok := between(old, opening(name), closing(name)); ok {
			content = kept
		}
		out = strings.Replace(out, opening(name)+closing(name), opening(name)+content+closing(name), 1)
	}
	return out
}

func opening(section string) string { return "<!-- " + section + ": -->\n\n" }
func closing(section string) string { return "\n<!-- :" + section + " -->\n" }

func between(text, from, to string) (string, bool) {
	_, text, found := strings.Cut(text, from)
	text, _, ended := strings.Cut(text, to)
	return text, found && ended
}
