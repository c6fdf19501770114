package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/check"
	"github.com/slipstream-go/slipstream/internal/feed"
)

// checkTimeout bounds the whole check: a database that takes longer to answer is not fit to serve.
const checkTimeout = 30 * time.Second

func checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Connect, and report what is missing and what that costs",
		Args:  noArguments,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	options := addOptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := options.loadAll(cmd)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
		defer cancel()
		report, err := check.Database(ctx, checkOptions(cfg.WithDefaults()))
		if err != nil {
			return err
		}
		print := report.WriteText
		if asJSON {
			print = report.WriteJSON
		}
		if err := print(cmd.OutOrStdout()); err != nil {
			return err
		}
		if !report.Serves() {
			return errors.New("cannot serve this database; mend what is marked FAIL")
		}
		return nil
	}
	return cmd
}

func checkOptions(c slipstream.Config) check.Options {
	undeclared := c.DBPreRequest
	if len(c.DBPreRequestReads) > 0 {
		undeclared = ""
	}
	return check.Options{
		DSN: c.DBURI, Replicas: c.DBReplicas, Schemas: c.DBSchemas, AnonRole: c.DBAnonRole, Tokens: c.JWTSecret != "",
		Pool: c.DBPool, StatementTimeout: c.DBStatementTimeout,
		Cache: c.CacheMode != "off", CacheModes: feed.Modes(c.CacheMode), CachedFor: c.CachedFor, CacheDSN: cmp.Or(c.CacheDBURI, c.DBURI), PreRequest: undeclared,
		Called: c.DBPreRequest, SearchPath: c.DBExtraSearchPath,
		Limits: checkLimits(c), Overload: c.EffectiveLimits(),
	}
}

func checkLimits(c slipstream.Config) check.Limits {
	out := check.Limits{Shared: c.RedisURL != "" && c.LimitsStore != "local", Proxies: len(c.ServerTrustedProxies) > 0}
	for _, l := range c.Limits {
		out.Policies = append(out.Policies, check.Limit{
			Name: l.Name, Quota: l.Quota, Window: l.Window, Burst: cmp.Or(l.Burst, l.Quota), By: l.By, Routes: l.Routes, Methods: l.Methods, Roles: l.Roles,
			FailedTokens: l.Count == "failed-tokens", DryRun: l.DryRun,
		})
	}
	return out
}
