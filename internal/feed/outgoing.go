package feed

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// mostPending is how many bytes may wait for the Relay. One that is slower than the log carries nothing.
	mostPending = 16 << 20
	// mostInFrame bounds a frame of several transactions, in bytes.
	mostInFrame = 1 << 20
	// mostKept and mostKeptBytes bound what those who follow can be behind.
	mostKept      = 4096
	mostKeptBytes = 32 << 20
)

// outgoing is a leader's stream, from when somebody follows until nobody does or something fails. None has the name of
// another: numbers say nothing across streams.
type outgoing struct {
	sealer
	// over is set when nothing more is written.
	over atomic.Bool

	mu sync.Mutex
	// pending are the items of whole transactions, of size bytes.
	pending  [][]byte
	size     int
	position uint64 // that was reached, and not told
	ready    chan struct{}
}

func newOutgoing(secret []byte, stream string) *outgoing {
	return &outgoing{sealer: newSealer(secret, stream), ready: make(chan struct{}, 1)}
}

// add takes a transaction.
func (o *outgoing) add(items []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.size += len(items); o.size > mostPending {
		o.over.Store(true)
	}
	if o.over.Load() {
		o.pending = nil
		return
	}
	o.pending = append(o.pending, items)
	o.wake()
}

// reached takes a position.
func (o *outgoing) reached(lsn uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.position == 0 {
		o.wake()
	}
	o.position = lsn
}

func (o *outgoing) wake() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take returns what the next frame is made of, if only of nothing. There is none when something was left out.
func (o *outgoing) take() (items [][]byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over.Load() {
		return nil, false
	}
	n, size := 0, 0
	for n < len(o.pending) && (n == 0 || size+len(o.pending[n]) <= mostInFrame) {
		size += len(o.pending[n])
		n++
	}
	items = o.pending[:n:n]
	o.pending, o.size = slices.Clone(o.pending[n:]), o.size-size
	switch {
	case len(o.pending) > 0:
		o.wake() // the position is beyond what waits
	case o.position > 0:
		items = append(items, appendItem(nil, position(o.position)...))
		o.position = 0
	}
	return items, true
}

// write sends frames, one at least in each round, until ctx ends or it is over.
func (o *outgoing) write(ctx context.Context, sharing Sharing) error {
	defer o.over.Store(true)
	var kept []int // sizes of frames
	total := 0
	for number := uint64(1); ; number++ {
		items, ok := o.take()
		if !ok {
			return fmt.Errorf("more than %d MiB wait for it", mostPending>>20)
		}
		frame := o.seal(number, items)
		kept, total = append(kept, len(frame)), total+len(frame)
		for len(kept) > 1 && (len(kept) > mostKept || total > mostKeptBytes) {
			kept, total = kept[1:], total-kept[0]
		}
		appending, cancel := context.WithTimeout(ctx, sharing.silence())
		err := sharing.Relay.Append(appending, o.stream, number, number+1-uint64(len(kept)), frame)
		cancel()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.ready:
		case <-time.After(sharing.Round):
		}
	}
}
