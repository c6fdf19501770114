package edge

import (
	"net"

	"golang.org/x/sys/unix"
)

// SetSendBuffer bounds what the system holds of what is sent on connections that are accepted from now on, so that it soon
// shows who does not read.
func (s *Server) SetSendBuffer(bytes int) error {
	raw, err := (*s.listener.Load()).(*guardedListener).Listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Control(func(fd uintptr) { failure = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, bytes) })
	if err != nil {
		return err
	}
	return failure
}
