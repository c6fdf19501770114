package main

import (
	"os"
	"strings"
)

// fromPostgREST turns a command line of PostgREST into one of ours, so that the binary can be swapped in a unit file or
// a health check: a configuration file alone serves, and its flags do what they do there. Other command lines are
// returned as they are.
func fromPostgREST(args []string) []string {
	var command, file []string
	for _, arg := range args {
		switch arg {
		case "--dump-config":
			command = []string{"config", "--dump"}
		case "--ready":
			command = []string{"ready"}
		case "--example", "-e":
			command = []string{"config", "--example"}
		case "--version", "-v":
			command = []string{"version"}
		default:
			if file != nil || strings.HasPrefix(arg, "-") {
				return args
			}
			file = []string{"--config", arg}
		}
	}
	if command == nil && file != nil && isFile(file[1]) {
		command = []string{"serve"}
	}
	switch {
	case command == nil:
		return args
	case command[0] == "version":
		return command
	}
	return append(command, file...)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
