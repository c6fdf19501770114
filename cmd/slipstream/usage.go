package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipstream-go/slipstream"
)

// optionUsage writes the usage of a command with option flags: its own flags, then the options by section. Each option
// has lines of its own, as there are too many for a table; its documentation ends after the first sentence, and
// docs/configuration.md has the rest.
func optionUsage(cmd *cobra.Command) error {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	options := map[string]*pflag.Flag{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Value.(*optionFlag); ok {
			options[f.Name] = f
		} else {
			own.AddFlag(f)
		}
	})
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n\nFlags:\n%s", cmd.UseLine(), own.FlagUsages())
	section := ""
	for _, o := range slipstream.Options() {
		if o.Section != section {
			section = o.Section
			fmt.Fprintf(&b, "\n%s:\n", section)
		}
		fmt.Fprintf(&b, "  %s\n      %s\n", flagHead(options[o.Name]), summary(o))
	}
	return write(cmd.OutOrStderr(), b.String())
}

func flagHead(f *pflag.Flag) string {
	if f.NoOptDefVal != "" {
		return "--" + f.Name
	}
	return "--" + f.Name + " " + f.Value.Type()
}

func summary(o slipstream.Option) string {
	first, _, _ := strings.Cut(o.Doc, ". ")
	s := strings.TrimSuffix(first, ".")
	if o.Default != "" {
		s += " (default " + o.Default + ")"
	}
	return strings.ReplaceAll(s, "`", "")
}
