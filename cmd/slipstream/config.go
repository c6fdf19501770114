package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

func configCommand() *cobra.Command {
	var schema, example, dump, secrets bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration in effect, secrets masked",
		Long:  "Print the configuration in effect, with the settings in the database unless --db-config=false.",
		Args:  noArguments,
	}
	flags := cmd.Flags()
	flags.BoolVar(&schema, "schema", false, "print the JSON Schema of slipstream.yaml instead")
	flags.BoolVar(&example, "example", false, "print a slipstream.yaml with all options explained instead")
	flags.BoolVar(&dump, "dump", false, "print PostgREST's format, as postgrest --dump-config does")
	flags.BoolVar(&secrets, "show-secrets", false, "with --dump, do not mask secrets")
	options := addOptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case schema && example, schema && dump, example && dump:
			return usagef("--schema, --example and --dump are different outputs; choose one")
		case schema:
			return write(cmd.OutOrStdout(), string(slipstream.ConfigSchema()))
		case example:
			return write(cmd.OutOrStdout(), slipstream.ConfigExample())
		case secrets && !dump:
			return usagef("--show-secrets is for --dump only; YAML is always masked")
		}
		cfg, err := options.loadAll(cmd)
		if err != nil {
			return err
		}
		if dump {
			return write(cmd.OutOrStdout(), cfg.WithDefaults().Dump(secrets))
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
