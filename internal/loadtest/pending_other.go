//go:build !unix

package loadtest

import "net"

type pending struct{}

func newPending(net.Conn) *pending { return &pending{} }

func (*pending) any() bool { return false }
