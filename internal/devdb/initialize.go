package devdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// initialize makes the data directory unless it is there, and returns the
// installation that can run it.
func (c *Cluster) initialize(ctx context.Context, all []installation, opts Options) (installation, error) {
	major, err := c.place.dataVersion()
	if err != nil {
		return installation{}, err
	}
	bin, err := choose(all, major)
	if err != nil || major != 0 {
		return bin, err
	}
	c.logger.Info("creating a private PostgreSQL cluster", "dir", c.place.dir, "version", bin.major)
	if opts.Primary != nil {
		return bin, c.place.copyPrimary(ctx, bin, opts.Primary)
	}
	return bin, c.place.initdb(ctx, bin, opts)
}

// dataVersion is the major version of the server that made the data, 0 where
// there is no data yet.
func (p place) dataVersion() (int, error) {
	b, err := os.ReadFile(filepath.Join(p.dataDir(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data's version: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// initdb makes the data under another name and renames it when complete, so
// that an interrupted one is never taken for a cluster.
func (p place) initdb(ctx context.Context, bin installation, opts Options) error {
	if err := p.writePassword(); err != nil {
		return err
	}
	fresh := p.dataDir() + ".new"
	var out []byte
	var err error
	// C.UTF-8 sorts as C and knows the letters of all languages, but not all
	// systems have it.
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err = p.makeOwned(fresh); err != nil {
			return err
		}
		if out, err = p.runInitdb(ctx, bin, fresh, locale, opts); err == nil {
			return os.Rename(fresh, p.dataDir())
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out), 5))
}

// runInitdb lets every role in through the socket without a password, since
// its directory is open to the owner alone, and nobody through TCP without.
func (p place) runInitdb(ctx context.Context, bin installation, dir, locale string, opts Options) ([]byte, error) {
	args := []string{
		"--pgdata=" + dir, "--username=" + opts.Superuser, "--pwfile=" + p.passwordFile(),
		"--encoding=UTF8", "--locale=" + locale, "--lc-messages=C",
		"--auth-local=trust", "--auth-host=scram-sha-256",
	}
	if opts.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.program("initdb"), args...)
	p.user.apply(cmd)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}

func (p place) passwordFile() string { return filepath.Join(p.dir, "password") }

// writePassword makes the superuser's password, which only TCP asks for.
func (p place) writePassword() error {
	_ = os.Remove(p.passwordFile())
	if err := os.WriteFile(p.passwordFile(), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the password: %w", err)
	}
	return p.user.own(p.passwordFile())
}

func (p place) readPassword() (string, error) {
	b, err := os.ReadFile(p.passwordFile())
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
