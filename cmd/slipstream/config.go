package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

func configCommand() *cobra.Command {
	var schema, example bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration in effect, secrets masked",
		Args:  noArguments,
	}
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of slipstream.yaml instead")
	cmd.Flags().BoolVar(&example, "example", false, "print a slipstream.yaml with all options explained instead")
	options := addOptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case schema && example:
			return usagef("--schema and --example are two outputs; choose one")
		case schema:
			return write(cmd.OutOrStdout(), string(slipstream.ConfigSchema()))
		case example:
			return write(cmd.OutOrStdout(), slipstream.ConfigExample())
		}
		cfg, err := options.load(cmd)
		if err != nil {
			return err
		}
		return write(cmd.OutOrStdout(), cfg.WithDefaults().YAML())
	}
	return cmd
}

func write(w io.Writer, s string) error {
	if _, err := io.WriteString(w, s); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
