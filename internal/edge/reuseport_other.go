//go:build !unix || solaris

package edge

import (
	"errors"
	"syscall"
)

func reusePort(_, _ string, _ syscall.RawConn) error {
	return errors.New("this system cannot share a port")
}
