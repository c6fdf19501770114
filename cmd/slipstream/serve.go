package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the database named by db-uri",
		Long: "Serve the database named by db-uri, until SIGTERM or SIGINT: then requests in flight are finished; a second signal ends at once.\n" +
			"SIGUSR1 reloads the schema, SIGUSR2 the configuration.",
		Args: noArguments,
	}
	options := addOptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		load := func() (slipstream.Config, error) { return options.load(cmd) }
		cfg, err := load()
		if err != nil {
			return err
		}
		return serve(cmd.Context(), cfg, load, cmd.ErrOrStderr())
	}
	return cmd
}

// serve runs a server until a signal ends it. load reads the configuration again when SIGUSR2 or a notification asks
// for that.
func serve(ctx context.Context, cfg slipstream.Config, load func() (slipstream.Config, error), stderr io.Writer) error {
	tuneRuntime()
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer release()
	context.AfterFunc(ctx, release) // a second signal has its default effect, which is to end the process

	server, err := slipstream.New(ctx, cfg)
	if err != nil {
		return err
	}
	configure := func(ctx context.Context) {
		cfg, err := load()
		if err == nil {
			err = server.ReloadConfig(ctx, cfg)
		}
		reportReload(ctx, stderr, "configuration", err)
	}
	server.OnConfigReload(configure)
	defer onSignals(ctx, map[os.Signal]func(){
		reloadSchema: func() { reportReload(ctx, stderr, "schema", server.ReloadSchema(ctx)) },
		reloadConfig: func() { configure(ctx) },
	})()
	return server.Run(ctx)
}

// reportReload says why the old state stays in use; that a new one is in use, the server says. A reload that the end of
// the server cut short is no news.
func reportReload(ctx context.Context, stderr io.Writer, what string, err error) {
	if err != nil && ctx.Err() == nil {
		explain(stderr, fmt.Errorf("the old %s stays in use: %w", what, err))
	}
}

// onSignals calls the functions of signals, one at a time, until ctx is done or stop is called, which waits for the
// call in progress. Later signals are without effect, as their default would end a process that is draining.
func onSignals(ctx context.Context, handlers map[os.Signal]func()) (stop func()) {
	signals := make(chan os.Signal, len(handlers))
	for s := range handlers {
		signal.Notify(signals, s)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			select {
			case s := <-signals:
				handlers[s]()
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
