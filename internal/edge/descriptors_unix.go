//go:build unix

package edge

import "golang.org/x/sys/unix"

// descriptors is how many files this process may have open; Go has raised the soft limit to the hard one.
func descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > 2*mostConnections { //nolint:unconvert // it is signed on FreeBSD
		return 2 * mostConnections
	}
	return int(limit.Cur)
}
