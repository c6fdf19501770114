package edge

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever was written before, a client has all of the time to take the next piece.
func TestEachPieceHasTheWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall = time.Minute
		ours, theirs := net.Pipe()
		set := newConnections(ConnectionLimits{}, stall)
		c, _ := set.admit(ours)
		defer c.Close()
		go func() {
			piece := make([]byte, stallPiece)
			for range 5 {
				time.Sleep(25 * time.Second)
				_, _ = io.ReadFull(theirs, piece)
				time.Sleep(stall - time.Second)
				_, _ = io.ReadFull(theirs, piece)
			}
		}()
		if n, err := c.Write(make([]byte, 10*stallPiece)); err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		began := time.Now()
		if _, err := c.Write(make([]byte, stallPiece)); err == nil {
			t.Error("written to nobody")
		}
		if took := time.Since(began); took < stall || took > 2*stall {
			t.Errorf("given up after %v", took)
		}
		if n := set.stalled.Load(); n != 1 {
			t.Errorf("%d counted", n)
		}
	})
}
