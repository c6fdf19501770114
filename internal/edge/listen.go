package edge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Address says where a server listens.
type Address struct {
	// Host is a name or address, or one of PostgREST's special hosts: "*" and "*6" any
	// address, "*4" any but IPv4 first, "!4" IPv4 only, "!6" IPv6 only. Empty is 127.0.0.1.
	Host string
	// Port of TCP; 0 takes a free one.
	Port int
	// OrAnyPort takes a free one where Port is taken already.
	OrAnyPort bool
	// ReusePort lets several processes listen on the same port (SO_REUSEPORT), so that a
	// new one can take over before the old one drains. An error where the system has it not.
	ReusePort bool
	// Socket is the path of a unix socket; it takes the place of Host and Port.
	Socket string
	// SocketMode is the socket's permissions. Default 0660.
	SocketMode fs.FileMode
}

// attempt is a network and host of net.Listen.
type attempt struct{ network, host string }

// attempts are tried until one works. The special hosts are those of Haskell's
// streaming-commons, which PostgREST documents for server-host.
func (a Address) attempts() []attempt {
	switch a.Host {
	case "":
		return []attempt{{"tcp", "127.0.0.1"}}
	case "*", "*6":
		return []attempt{{"tcp", ""}} // Go's wildcard takes both families where there are both
	case "*4":
		return []attempt{{"tcp4", "0.0.0.0"}, {"tcp6", "::"}}
	case "!4":
		return []attempt{{"tcp4", "0.0.0.0"}}
	case "!6":
		return []attempt{{"tcp6", "::"}}
	}
	return []attempt{{"tcp", a.Host}}
}

// Listen binds the address. Close the listener to release it; a socket's file goes with it.
func (a Address) Listen(ctx context.Context) (net.Listener, error) {
	if a.Socket != "" {
		return a.listenUnix(ctx)
	}
	ln, err := a.listenTCP(ctx)
	if a.OrAnyPort && errors.Is(err, syscall.EADDRINUSE) {
		a.Port = 0
		return a.listenTCP(ctx)
	}
	return ln, err
}

func (a Address) listenTCP(ctx context.Context) (net.Listener, error) {
	var failures []error
	for _, try := range a.attempts() {
		var lc net.ListenConfig
		if a.ReusePort {
			lc.Control = reusePort
		}
		ln, err := lc.Listen(ctx, try.network, net.JoinHostPort(try.host, strconv.Itoa(a.Port)))
		if err == nil {
			return ln, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func (a Address) listenUnix(ctx context.Context) (net.Listener, error) {
	if err := removeStale(a.Socket); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", a.Socket)
	if err != nil {
		return nil, err
	}
	unix := ln.(*net.UnixListener)
	unix.SetUnlinkOnClose(false)
	mode := a.SocketMode
	if mode == 0 {
		mode = 0o660
	}
	if err := os.Chmod(a.Socket, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("set mode of socket: %w", err), ln.Close())
	}
	file, err := os.Lstat(a.Socket)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &socketListener{UnixListener: unix, path: a.Socket, file: file}, nil
}

// removeStale removes the socket of an earlier run, and nothing that is not a socket.
func removeStale(path string) error {
	file, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for stale socket: %w", err)
	}
	if file.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen on unix socket: %s exists and is not a socket", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale socket: %w", err)
	}
	return nil
}

// socketListener removes its file when closed, unless a successor has already put its own
// in the place.
type socketListener struct {
	*net.UnixListener
	path   string
	file   fs.FileInfo
	remove sync.Once // a second Close could meet a successor's file of the same inode number
}

func (l *socketListener) Close() error {
	l.remove.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			_ = os.Remove(l.path) // a file left behind is removed at the next start
		}
	})
	return l.UnixListener.Close()
}
