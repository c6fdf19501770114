package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/feed"
)

func cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Let a database tell caches what changes, and ask a running server's cache",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(cacheInstallCommand(), cacheUninstallCommand(), cacheStatsCommand(), cachePurgeCommand(), cacheExplainCommand())
	return cmd
}

func cacheInstallCommand() *cobra.Command {
	var owner ownerFlags
	var role string
	var mode string
	var schemas []string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Prepare a database, or add what has changed since an older version",
		Long: "Prepare a database, as a superuser: a publication of the tables that have a replica identity, such as a primary\n" +
			"key; event triggers that report changes of the schema and keep the publication right; and the right REPLICATION\n" +
			"for the role that the server connects as. That right opens the write-ahead log: who has it can read every change\n" +
			"of every table of the server, and copy the server as a whole, so keep that role's password as you keep a\n" +
			"superuser's. A superuser has it already.\n\n" +
			"The server needs wal_level = logical. ALTER TABLE ... SET UNLOGGED refuses published tables: take them out with\n" +
			"ALTER PUBLICATION slipstream DROP TABLE first.\n\n" +
			"Where that cannot be had, --mode notify puts a trigger on every table instead, which tells with NOTIFY that it was\n" +
			"written to. Answers are dropped by table then, not by row; and commits of transactions that write take turns, on the\n" +
			"whole server. It needs no right REPLICATION, and max_prepared_transactions = 0. The one mode takes the other's place.",
		Args: noArguments,
	}
	owner.add(cmd)
	cmd.Flags().StringVar(&role, "for", "", "the `ROLE` that the server connects as, the authenticator; not needed for the mode notify")
	cmd.Flags().StringVar(&mode, "mode", string(feed.WAL), "how caches are to learn of changes: `wal` or notify")
	cmd.Flags().StringSliceVar(&schemas, "schema", nil, "publish the tables of this `SCHEMA` only; may be repeated (default all schemas)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch feed.Mode(mode) {
		case feed.WAL:
		case feed.Notify:
			const done = "Installed; triggers tell which tables are written to, and changes of the schema, from now on."
			return owner.apply(cmd, feed.InstallNotifyScript(schemas), done, func(ctx context.Context, dsn string) error {
				return feed.InstallNotify(ctx, dsn, schemas)
			})
		default:
			return usagef("--mode is wal or notify, not %s", mode)
		}
		if role == "" {
			return usagef("--for is missing; name the role that the server connects as, the user of its db-uri")
		}
		done := fmt.Sprintf("Installed for %s; changes of tables and of the schema are told from now on.", role)
		return owner.apply(cmd, feed.InstallScript(role, schemas), done, func(ctx context.Context, dsn string) error {
			return feed.Install(ctx, dsn, role, schemas)
		})
	}
	return cmd
}

func cacheUninstallCommand() *cobra.Command {
	var owner ownerFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove all that install made",
		Long: "Remove all that install made: publication, triggers and functions. Roles that got the right REPLICATION with\n" +
			"it lose it, in all databases of the server.",
		Args: noArguments,
	}
	owner.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return owner.apply(cmd, feed.UninstallScript(), "Removed; caches learn of changes no more.", feed.Uninstall)
	}
	return cmd
}
