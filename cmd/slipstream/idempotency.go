package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/idemkey"
)

func idempotencyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "idempotency",
		Short: "Make the header Idempotency-Key work in a database",
		Long: "Make the header Idempotency-Key work in a database: a table of answers in the schema slipstream, and functions\n" +
			"on it that the server's login role alone may call. Servers find out by themselves when they listen on pgrst.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(idempotencyInstallCommand(), idempotencyUninstallCommand())
	return cmd
}

// ownerFlags are those of commands that change the database, which the server's own user cannot.
type ownerFlags struct {
	dsn    string
	dryRun bool
}

func (f *ownerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dsn, "db-uri", os.Getenv("DATABASE_URL"), "connection `STRING` of a superuser or of the database's owner (default $DATABASE_URL, else PG*)")
	cmd.Flags().Lookup("db-uri").DefValue = "" // which may hold a password
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the SQL instead of running it")
}

// apply prints the script, or runs it and says so.
func (f *ownerFlags) apply(cmd *cobra.Command, script, done string, run func(ctx context.Context, dsn string) error) error {
	if f.dryRun {
		return write(cmd.OutOrStdout(), script)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
	defer cancel()
	if err := run(ctx, f.dsn); err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return write(cmd.OutOrStdout(), done+"\n")
}

func idempotencyInstallCommand() *cobra.Command {
	var owner ownerFlags
	var role string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install it, or what has changed since an older version",
		Args:  noArguments,
	}
	owner.add(cmd)
	cmd.Flags().StringVar(&role, "for", "", "the `ROLE` that the server connects as, the authenticator")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if role == "" {
			return usagef("--for is missing; name the role that the server connects as, the user of its db-uri")
		}
		done := fmt.Sprintf("Installed for %s; answers are kept for 24 hours.", role)
		return owner.apply(cmd, idemkey.InstallScript(role), done, func(ctx context.Context, dsn string) error {
			return idemkey.Install(ctx, dsn, role)
		})
	}
	return cmd
}

func idempotencyUninstallCommand() *cobra.Command {
	var owner ownerFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove it, with all stored answers",
		Args:  noArguments,
	}
	owner.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return owner.apply(cmd, idemkey.UninstallScript(), "Removed, with all stored answers.", idemkey.Uninstall)
	}
	return cmd
}
