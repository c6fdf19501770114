package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// record makes a scenario of a recording, and says what it has left out.
func (f *benchFlags) record(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("name the scenario file to write: %s --record %s scenario.yaml", cmd.CommandPath(), f.out.record)
	}
	file, err := os.Open(f.out.record)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	read := scenario.FromAccessLog
	in := bufio.NewReaderSize(file, 1<<16)
	if isHAR(f.out.record, in) {
		read = scenario.FromHAR
	}
	s, summary, err := read(in)
	if err != nil {
		return fmt.Errorf("%s: %w", f.out.record, err)
	}
	if f.over.target != "" {
		s.Target = f.over.target
	}
	if err := s.Save(args[0], summary.Files); err != nil {
		return err
	}
	return write(cmd.OutOrStdout(), summary.String())
}

// isHAR tells a HAR, which is one JSON object with a log, from lines.
func isHAR(name string, in *bufio.Reader) bool {
	if strings.HasSuffix(name, ".har") {
		return true
	}
	start, _ := in.Peek(512)
	first, rest, _ := strings.Cut(strings.TrimSpace(string(start)), "{")
	return first == "" && strings.HasPrefix(strings.TrimSpace(rest), `"log"`)
}
