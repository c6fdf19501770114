package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

// version is set by the linker (see the Makefile).
var version string

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return write(cmd.OutOrStdout(), fmt.Sprintf("slipstream %s %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
		},
	}
}

// versionText is what the linker was told, else what Go noted of the module and the checkout.
func versionText() string {
	if version != "" {
		return version
	}
	return slipstream.Version()
}
