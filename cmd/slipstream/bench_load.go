package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// defaultRate is that of a URL, in requests a second: little enough for whatever service somebody tries it with.
const defaultRate = "100"

// ofURL are the flags that mean nothing to a scenario, which says such things itself.
var ofURL = [...]string{
	"rate", "duration", "warm-up", "steps", "connections", "method", "header", "body", "body-file", "variable", "status", "contains",
}

// load makes what is run of a URL or of a scenario file.
func (f *benchFlags) load(cmd *cobra.Command, what string) (loadtest.Load, report.Scenario, error) {
	s, dir, err := f.scenario(cmd, what)
	if err != nil {
		return loadtest.Load{}, report.Scenario{}, err
	}
	about := report.Scenario{Name: what}
	if about.Digest, err = digest(*s); err != nil {
		return loadtest.Load{}, about, err
	}
	l, err := s.Load(dir, os.LookupEnv)
	if err != nil {
		return l, about, err
	}
	if f.over.insecure {
		l.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // it was asked for
	}
	return l, about, l.Validate()
}

func (f *benchFlags) scenario(cmd *cobra.Command, what string) (s *scenario.Scenario, dir string, err error) {
	if err := f.choices(); err != nil {
		return nil, "", err
	}
	if strings.Contains(what, "://") {
		o := f.url
		if o.Rate == "" && o.Connections == 0 {
			o.Rate = defaultRate
		}
		s, err = scenario.OfURL(what, o)
		return s, ".", err
	}
	for _, name := range ofURL {
		if cmd.Flags().Changed(name) {
			return nil, "", usagef("--%s is for a URL; %s says itself what is sent", name, what)
		}
	}
	if s, err = scenario.Load(what); err != nil {
		return nil, "", err
	}
	f.override(cmd, s)
	return s, filepath.Dir(what), nil
}

// numbers refuses those that a default would be taken for, or that are none of what they count.
func (f *benchFlags) numbers() error {
	u := &f.url
	switch {
	case f.repeat < 1:
		return usagef("--repeat is %d; give 1 or more", f.repeat)
	case u.Duration <= 0:
		return usagef("--duration is %v; give more than 0, such as 30s", u.Duration)
	case u.WarmUp < 0:
		return usagef("--warm-up is %v; give 0 or more, such as 5s", u.WarmUp)
	case u.Connections < 0:
		return usagef("--connections is %d; give 1 or more", u.Connections)
	case f.knee.step <= 0:
		return usagef("--step is %v; give more than 0, such as 5s", f.knee.step)
	}
	_, err := share(f.compare.maxRegression)
	return err
}

// choices reads the flags that are one of a few words.
func (f *benchFlags) choices() error {
	switch f.over.arrivals {
	case "", "poisson":
	case "even":
		f.url.Arrivals = loadtest.Even
	default:
		return usagef("--arrivals %s is not known; write poisson or even", f.over.arrivals)
	}
	switch f.over.http {
	case "", "1.1":
	case "2":
		f.url.Protocol = loadtest.HTTP2
	default:
		return usagef("--http %s is not known; write 1.1 or 2", f.over.http)
	}
	return nil
}

func (f *benchFlags) override(cmd *cobra.Command, s *scenario.Scenario) {
	for name, set := range map[string]func(){
		"target":          func() { s.Target = f.over.target },
		"seed":            func() { s.Seed = f.url.Seed },
		"arrivals":        func() { s.Arrivals = f.url.Arrivals },
		"max-connections": func() { s.MaxConnections = f.url.MaxConnections },
		"http":            func() { s.Protocol = f.url.Protocol },
		"timeout":         func() { s.Timeout = f.url.Timeout },
	} {
		if cmd.Flags().Changed(name) {
			set()
		}
	}
}

// digest is the same for what sends the same requests at the same times, whatever the target.
func digest(s scenario.Scenario) (string, error) {
	s.Target = "http://target"
	hash := sha256.New()
	if err := s.WriteYAML(hash); err != nil {
		return "", fmt.Errorf("write the scenario: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
