package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

// defaultFile is read when it exists and no other file is named.
const defaultFile = "slipstream.yaml"

// optionFlags are --config and one flag for each option of the configuration.
type optionFlags struct {
	file  string
	texts map[string][]string
}

// addOptionFlags gives a command the flags that configure a server.
func addOptionFlags(cmd *cobra.Command) *optionFlags {
	f := &optionFlags{texts: map[string][]string{}}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", "", "`FILE` to read (default $"+slipstream.FileVariable+", else ./"+defaultFile+")")
	for _, o := range slipstream.Options() {
		flag := flags.VarPF(&optionFlag{option: o, texts: f.texts}, o.Name, "", o.Doc)
		if o.Boolean {
			flag.NoOptDefVal = "true"
		}
	}
	cmd.SetUsageFunc(optionUsage)
	return f
}

// load reads the configuration and prints warnings.
func (f *optionFlags) load(cmd *cobra.Command) (slipstream.Config, error) {
	file, err := f.path()
	if err != nil {
		return slipstream.Config{}, err
	}
	cfg, warnings, err := slipstream.Load(slipstream.Sources{File: file, Env: os.Environ(), Flags: f.texts})
	warn(cmd, warnings...)
	return cfg, err
}

// loadAll is load with the settings in the database. A database that does not answer is a warning.
func (f *optionFlags) loadAll(cmd *cobra.Command) (slipstream.Config, error) {
	cfg, err := f.load(cmd)
	if err != nil {
		return cfg, err
	}
	cfg, warnings, err := cfg.FromDatabase(cmd.Context())
	warn(cmd, warnings...)
	if errors.Is(err, slipstream.ErrDatabaseSettings) {
		warn(cmd, err.Error()+"; those made elsewhere are shown")
		err = nil
	}
	return cfg, err
}

func warn(cmd *cobra.Command, warnings ...string) {
	for _, w := range warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "slipstream: warning:", strings.Join(strings.Fields(w), " "))
	}
}

func (f *optionFlags) path() (string, error) {
	if f.file != "" {
		return f.file, nil
	}
	if file := os.Getenv(slipstream.FileVariable); file != "" {
		return file, nil
	}
	_, err := os.Stat(defaultFile)
	switch {
	case err == nil:
		return defaultFile, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		return "", err
	}
}

// optionFlag collects the texts of one flag; the library parses them.
type optionFlag struct {
	option slipstream.Option
	texts  map[string][]string
}

func (f *optionFlag) Set(text string) error {
	f.texts[f.option.Name] = append(f.texts[f.option.Name], text)
	return nil
}

func (f *optionFlag) String() string   { return "" }
func (f *optionFlag) IsBoolFlag() bool { return f.option.Boolean }

// Type is what --help shows behind the flag.
func (f *optionFlag) Type() string {
	if f.option.Repeated {
		return "NAME=TEXT"
	}
	if choices, ok := strings.CutPrefix(f.option.Type, "one of "); ok {
		return strings.ReplaceAll(choices, ", ", "|")
	}
	if f.option.Boolean {
		return "bool"
	}
	word, _, _ := strings.Cut(f.option.Type, " ")
	return word
}
