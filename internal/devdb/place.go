package devdb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// place is the directory of a cluster, and the system user it belongs to.
type place struct {
	dir  string
	user serverUser
}

func (p place) dataDir() string  { return filepath.Join(p.dir, "data") }
func (p place) lockFile() string { return filepath.Join(p.dir, "lock") }
func (p place) logFile() string  { return filepath.Join(p.dir, "postgres.log") }
func (p place) pidFile() string  { return filepath.Join(p.dataDir(), "postmaster.pid") }

// refuges is where clusters live whose directory the server's user cannot
// reach. Only root, whose home is closed to all others, gets there.
const refuges = "/var/lib/slipstream"

// refuge is the place in refuges that stands in for dir.
func refuge(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(refuges, filepath.Base(dir)+"-"+hex.EncodeToString(sum[:6]))
}

// preparePlace makes dir, or its refuge where the server's user cannot reach
// dir: a checkout in /root must work, and its permissions are not ours to
// change.
func preparePlace(dir string, bin installation, logger *slog.Logger) (place, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	p, reachable, err := makePlace(dir, bin)
	if err != nil || reachable {
		return p, err
	}
	if !(place{dir: "/", user: p.user}).reachable(bin) {
		return place{}, fmt.Errorf("system user %s may not run %s", p.user.name, bin.program("postgres"))
	}
	logger.Info("PostgreSQL cannot run as root, and its system user cannot enter the directory: using another one",
		"user", p.user.name, "dir", dir, "instead", refuge(dir))
	p, reachable, err = makePlace(refuge(dir), bin)
	if err == nil && !reachable {
		err = fmt.Errorf("system user %s, which runs the server in place of root, can enter neither %s nor %s",
			p.user.name, dir, p.dir)
	}
	return p, err
}

// makePlace makes a cluster's directory and tells whether its server's user can
// reach it.
func makePlace(dir string, bin installation) (p place, reachable bool, err error) {
	p.dir = dir
	if p.user, err = findServerUser(p.dataDir()); err != nil {
		return p, false, err
	}
	if err := makeEnterable(p.dir); err != nil {
		return p, false, err
	}
	return p, p.reachable(bin), nil
}

// makeEnterable makes a directory, and its parents, that others may enter
// whatever the umask says. Existing ones it leaves as they are.
func makeEnterable(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := makeEnterable(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// reachable tells whether the server's user can enter the directory and run
// the server from there, by doing so.
func (p place) reachable(bin installation) bool {
	if !p.user.dropped {
		return true
	}
	cmd := exec.Command(bin.program("postgres"), "--version")
	p.user.apply(cmd)
	cmd.Dir = p.dir
	return cmd.Run() == nil
}

// makeOwned makes an empty directory that is open to the server's user alone.
func (p place) makeOwned(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return p.user.own(dir)
}

// clear deletes the data and what goes with it.
func (p place) clear() error {
	for _, path := range []string{p.dataDir(), p.dataDir() + ".new", p.passwordFile()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("delete the old data: %w", err)
		}
	}
	return nil
}

// maxSocketDir keeps a socket's path, "/.s.PGSQL.65535" included, below the
// 104 bytes that the most meagre system allows.
const maxSocketDir = 85

// makeSocketDir makes the directory of the socket: in the cluster's own, or
// under the system's for temporary files where that path would be too long.
func (p place) makeSocketDir() (string, error) {
	dir := filepath.Join(p.dir, "socket")
	if len(dir) <= maxSocketDir {
		return dir, p.makeOwned(dir)
	}
	dir, err := os.MkdirTemp("", "slipstream-")
	if err != nil {
		return "", err
	}
	if len(dir) > maxSocketDir {
		_ = os.Remove(dir)
		return "", errors.New("the paths of the directory and of TMPDIR are too long for a Unix socket: use a shorter one")
	}
	return dir, p.user.own(dir)
}

func (p place) removeSocketDir(dir string) { _ = os.RemoveAll(dir) }

// freePort finds a TCP port that nobody uses now. Another process may take it
// before the server does; the start then fails and says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// quoteListItem quotes an item of a comma-separated server setting.
func quoteListItem(s string) string {
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
