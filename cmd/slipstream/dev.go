package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/idemkey"
)

// devDatabase is where the sample lives in the private cluster.
const devDatabase = "shop"

func devCommand() *cobra.Command {
	var place devdb.Options
	var scale float64
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Serve a private PostgreSQL with sample data, to try things on",
		Long: "Start a private PostgreSQL, fill it with a sample shop when it is empty, and serve it until Ctrl-C.\n" +
			"A PostgreSQL that runs already is left alone. The data is kept for the next time.\n" +
			"The options below override the sample's own; files and the environment are not read.",
		Args: noArguments,
	}
	options := addOptionFlags(cmd)
	cmd.Flags().StringVar(&place.Dir, "data", ".slipstream", "`DIR` of the data")
	cmd.Flags().BoolVar(&place.Reset, "reset", false, "throw the data away and begin again")
	cmd.Flags().Float64Var(&scale, "scale", 1, "`PART` of the sample's rows to make when there are none: 0.01 for 1,000 products instead of 100,000")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, release := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer release()
		if scale <= 0 || scale > 1 {
			return usagef("--scale is %v; give more than 0 and at most 1", scale)
		}
		if options.file != "" {
			return usagef("slipstream dev reads no file, so --config does nothing; give the options as flags")
		}
		// Mistakes are told before the sample is made, which takes minutes. Address and secret are known only then.
		if _, err := devConfig("postgresql://", strings.Repeat("x", 32), options.texts); err != nil {
			return err
		}
		return dev(ctx, place, scale, options.texts, cmd.OutOrStdout())
	}
	return cmd
}

// dev runs the private database and a server on it until ctx is done.
func dev(ctx context.Context, place devdb.Options, scale float64, flags map[string][]string, out io.Writer) (err error) {
	place.TCP = true // so that psql and other tools of the user's get in too
	fmt.Fprintln(out, "Starting a private PostgreSQL in", place.Dir)
	cluster, err := devdb.Start(ctx, place)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, cluster.Stop(stopping))
	}()
	if err := shop.CreateDatabase(ctx, cluster.DSN("postgres"), devDatabase); err != nil {
		return err
	}
	if err := shop.LoadScale(ctx, cluster.DSN(devDatabase), scale, newProgress(out)); err != nil {
		return untilInterrupted(ctx, err)
	}
	if err := idemkey.Install(ctx, cluster.DSN(devDatabase), shop.AuthenticatorRole); err != nil {
		return untilInterrupted(ctx, err)
	}
	if err := feed.Install(ctx, cluster.DSN(devDatabase), shop.AuthenticatorRole, nil); err != nil {
		return untilInterrupted(ctx, err)
	}
	secret, err := devSecret(cluster.Dir())
	if err != nil {
		return err
	}
	cfg, err := devConfig(cluster.DSNAs(shop.AuthenticatorRole, devDatabase), secret, flags)
	if err != nil {
		return err
	}
	return untilInterrupted(ctx, devServe(ctx, cluster, cfg, secret, out))
}

// untilInterrupted takes an end by Ctrl-C for what it is: the way to end.
func untilInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// devConfig serves the sample with everything switched on that helps to try things.
func devConfig(uri, secret string, flags map[string][]string) (slipstream.Config, error) {
	texts := map[string][]string{
		"db-uri":                {uri},
		"db-schemas":            {shop.Schema},
		"db-anon-role":          {shop.AnonRole},
		"db-aggregates-enabled": {"true"},
		"db-plan-enabled":       {"true"},
		"server-timing-enabled": {"true"},
		"jwt-secret":            {secret},
	}
	for name, given := range flags {
		texts[name] = given
	}
	cfg, _, err := slipstream.Load(slipstream.Sources{Flags: texts})
	return cfg, err
}

// devServe runs the server, and ends it when the database does.
func devServe(ctx context.Context, cluster *devdb.Cluster, cfg slipstream.Config, secret string, out io.Writer) error {
	tuneRuntime()
	server, err := slipstream.New(ctx, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-ctx.Done():
		case <-cluster.Done():
			cancel(fmt.Errorf("PostgreSQL ended by itself; its log is %s", cluster.LogFile()))
		}
	}()
	go func() {
		if awaitReady(ctx, server) {
			devWelcome(out, server, cluster, secret)
		}
	}()
	if err := server.Run(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// awaitReady waits until the server answers requests.
func awaitReady(ctx context.Context, server *slipstream.Server) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for server.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
