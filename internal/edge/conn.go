package edge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// conn is an accepted connection. It knows since when it waits for its client, and gives up a client that takes too little of
// what it is sent, whatever handler writes: a write without a deadline would wait for as long as the client acknowledges that it
// is there.
type conn struct {
	net.Conn
	set    *connections
	source netip.Prefix
	at     int // in set.all, under its lock; -1 when it is not there any more

	serving atomic.Int32 // requests
	since   atomic.Int64 // when the last of them ended, as a reading of set.now; 0 while there are any

	requests, resets atomic.Int64 // of HTTP/2
	cut              atomic.Bool  // for its resets

	explicit atomic.Bool  // somebody has set a write deadline of their own
	writeBy  atomic.Int64 // ours, as a reading of set.now; 0 when there is none
}

type connKey struct{}

// withConn is an http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func (c *conn) begin() {
	c.serving.Add(1)
	c.since.Store(0)
}

func (c *conn) end() {
	if c.serving.Add(-1) == 0 {
		c.since.Store(c.set.now())
		if c.serving.Load() > 0 { // of HTTP/2, meanwhile
			c.since.Store(0)
		}
	}
}

// stallPiece is how much, in bytes, a client must take within the time of a stall.
const stallPiece = 256 << 10

// Write writes in pieces, each with a deadline of its own.
func (c *conn) Write(p []byte) (n int, err error) {
	for {
		c.arm()
		piece := p[n:min(len(p), n+stallPiece)]
		m, err := c.Conn.Write(piece)
		n += m
		if err != nil && !c.explicit.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			c.set.stalled.Add(1)
			_ = c.Close() // of HTTP/2, net/http would go on reading
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// arm sees that the time of a stall at least is left, and gives half as much again, so that most writes need no new deadline.
func (c *conn) arm() {
	if c.explicit.Load() {
		return
	}
	now, stall := c.set.now(), int64(c.set.stall)
	if c.writeBy.Load()-now >= stall {
		return
	}
	stall += stall / 2
	c.writeBy.Store(now + stall)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(time.Duration(stall))) // errs on a closed connection only, as the write does
}

// SetWriteDeadline takes the place of our own deadline. The zero time brings that back.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.explicit.Store(false)
		return nil
	}
	c.explicit.Store(true)
	c.writeBy.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is for hijackers.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite lets net/http end an answer before it closes the connection.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.set.leave(c)
	return c.Conn.Close()
}
