package devdb

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// copyPrimary makes the data a copy of a running cluster's, which follows it from there on. As with initdb, an interrupted
// copy is never taken for a cluster.
func (p place) copyPrimary(ctx context.Context, bin installation, primary *Cluster) error {
	fresh := p.dataDir() + ".new"
	if err := p.makeOwned(fresh); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, bin.program("pg_basebackup"),
		"--pgdata="+fresh, "--host="+primary.socketDir, "--port="+strconv.Itoa(primary.port), "--username="+primary.superuser,
		"--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--no-password")
	p.user.apply(cmd)
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, lastLines(string(out), 5))
	}
	return os.Rename(fresh, p.dataDir())
}
