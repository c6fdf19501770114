package devdb

import (
	"fmt"
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

func findServerUser() (serverUser, error) {
	if os.Geteuid() != 0 {
		return serverUser{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			continue
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			continue
		}
		return serverUser{name: name, uid: uid, gid: gid, dropped: true}, nil
	}
	return serverUser{}, fmt.Errorf("PostgreSQL refuses to run as root, and the system has no user postgres or nobody to run it: " +
		"create one (useradd --system postgres), or start as another user")
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
