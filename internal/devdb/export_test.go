package devdb

import (
	"context"
	"log/slog"
)

var (
	PackageDirs = packageDirs
	ParseMajor  = parseMajor
	Refuge      = refuge
	ServerEnv   = serverEnv
)

// ChooseMajor is choose over installations of the given versions.
func ChooseMajor(installed []int, data int) (int, error) {
	var all []installation
	for _, major := range installed {
		all = append(all, installation{major: major})
	}
	chosen, err := choose(all, data)
	return chosen.major, err
}

// LeaveBehind runs the server of a stopped cluster as if an owner had died
// without it: nobody holds the lock. The channel is closed when it ends.
func LeaveBehind(ctx context.Context, dir string) (<-chan struct{}, error) {
	bins, err := installations()
	if err != nil {
		return nil, err
	}
	p, err := preparePlace(dir, bins[0], slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	c := &Cluster{place: p}
	if err := c.openDoors(); err != nil {
		return nil, err
	}
	s, err := launch(ctx, bins[0], p, c.settings(nil))
	if err != nil {
		return nil, err
	}
	return s.done, nil
}

// PostmasterPID is the process id of the cluster's server.
func (c *Cluster) PostmasterPID() int { return c.server.process.Pid }

// DataDir and SocketDir are the cluster's directories.
func (c *Cluster) DataDir() string   { return c.place.dataDir() }
func (c *Cluster) SocketDir() string { return c.socketDir }
