package devdb

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// serverUser is the system user that runs the server: ourselves, or, since
// PostgreSQL refuses to run as root, an unprivileged one (dropped).
type serverUser struct {
	name     string
	uid, gid int
	dropped  bool
}

// findServerUser picks the user for a cluster with the given data directory:
// where we are root, its owner, if it is there.
func findServerUser(dataDir string) (serverUser, error) {
	if os.Geteuid() != 0 {
		return serverUser{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	if info, err := os.Stat(dataDir); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
			return serverUser{name: strconv.Itoa(int(owner.Uid)), uid: int(owner.Uid), gid: int(owner.Gid), dropped: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := lookupUser(name); err == nil {
			return u, nil
		}
	}
	return serverUser{}, errors.New("PostgreSQL refuses to run as root, and the system has no user postgres or nobody to run it: " +
		"create one (useradd --system postgres), or start as another user")
}

func lookupUser(name string) (serverUser, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return serverUser{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return serverUser{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return serverUser{name: name, uid: uid, gid: gid, dropped: true}, err
}

// own gives a file to the server's user.
func (u serverUser) own(path string) error {
	if !u.dropped {
		return nil
	}
	return os.Chown(path, u.uid, u.gid)
}

// apply makes cmd run as the server's user in a session of its own, so that
// Ctrl-C in the terminal reaches us alone and the order of shutdown is ours.
func (u serverUser) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if u.dropped {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}
	}
	cmd.Env = serverEnv(os.Environ())
}

// serverEnv drops the environment variables meant for clients, which the
// server's programs would obey too (PGPORT, PGDATA …).
func serverEnv(env []string) []string {
	var kept []string
	for _, e := range env {
		if !strings.HasPrefix(e, "PG") {
			kept = append(kept, e)
		}
	}
	return kept
}
