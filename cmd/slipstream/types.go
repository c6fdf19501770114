package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/tstypes"
)

func typesCommand() *cobra.Command {
	var lang, out string
	cmd := &cobra.Command{
		Use:   "types",
		Short: "Write types of the exposed schemas for clients",
		Long: "Write TypeScript types of the schemas in db-schemas, as supabase-js and postgrest-js take them:\n" +
			"createClient<Database>(url, key). They are what \"supabase gen types typescript\" writes.",
		Args: noArguments,
	}
	cmd.Flags().StringVar(&lang, "lang", "ts", "language, of which there is one: `ts`")
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write instead of standard output")
	options := addOptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if lang != "ts" && lang != "typescript" {
			return usagef("--lang %s is not known; write ts", lang)
		}
		cfg, err := options.loadAll(cmd)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
		defer cancel()
		cfg = cfg.WithDefaults()
		text, err := tstypes.Generate(ctx, cfg.DBURI, cfg.DBSchemas)
		if err != nil {
			return err
		}
		if out == "" {
			return write(cmd.OutOrStdout(), text)
		}
		if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write types: %w", err)
		}
		return nil
	}
	return cmd
}
