//go:build unix

package loadtest

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// pending looks whether something waits to be read from a connection, be it only its end, without reading it. It makes no
// garbage.
type pending struct {
	raw   syscall.RawConn // nil for what is no socket
	found bool
	look  func(fd uintptr) bool
}

func newPending(conn net.Conn) *pending {
	p := &pending{}
	if c, ok := conn.(syscall.Conn); ok {
		p.raw, _ = c.SyscallConn() // nil with an error
	}
	set := make([]unix.PollFd, 1)
	p.look = func(fd uintptr) bool {
		set[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		n, err := unix.Poll(set, 0)
		p.found = err == nil && n > 0
		return true
	}
	return p
}

func (p *pending) any() bool {
	p.found = false
	return p.raw != nil && p.raw.Read(p.look) == nil && p.found
}
