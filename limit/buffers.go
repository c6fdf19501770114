package limit

import (
	"fmt"
	"sync/atomic"
)

// Buffers bounds the memory that what is under way takes together, such as bodies of requests and answers. It allocates
// nothing itself: who is about to make a buffer asks first, with a Held of its own.
//
// A quarter is kept for holders of 64 KiB and less, so that a few large ones, whose other side may be slow on purpose, do
// not shut out the many small ones. It is safe for concurrent use; a nil *Buffers has no bound.
type Buffers struct {
	max  int64
	used atomic.Int64
	// refused counts the times that there was no room.
	refused atomic.Int64
}

// smallBuffer is up to where a holder may take the last quarter, in bytes.
const smallBuffer = 64 << 10

// NewBuffers returns room for max bytes, or nil, which is no bound, where max is not positive.
func NewBuffers(max int64) *Buffers {
	if max <= 0 {
		return nil
	}
	return &Buffers{max: max}
}

// Max is how much there is room for, in bytes; 0 is no bound.
func (b *Buffers) Max() int64 {
	if b == nil {
		return 0
	}
	return b.max
}

// Used is how much is held now, in bytes.
func (b *Buffers) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Refused is how often there was no room, since the start.
func (b *Buffers) Refused() int64 {
	if b == nil {
		return 0
	}
	return b.refused.Load()
}

// BufferError says that there was no room for a buffer of Size bytes. There never will be when that is more than Largest;
// else it is others that take the room, and the same may succeed later.
type BufferError struct{ Size, Largest int64 }

func (e *BufferError) Error() string {
	return fmt.Sprintf("no room for a buffer of %d bytes; the largest possible has %d", e.Size, e.Largest)
}

// Held is the part of one holder. The zero value holds nothing; it is not safe for concurrent use.
type Held struct {
	buffers *Buffers
	n       int64
}

// Grow makes the part size bytes; a smaller size changes nothing. The error is a *BufferError, after which the part is as
// it was.
func (h *Held) Grow(b *Buffers, size int64) error {
	more := size - h.n
	if b == nil || more <= 0 {
		return nil
	}
	limit := b.max
	if size > smallBuffer {
		limit -= b.max / 4
	}
	if b.used.Add(more) > limit {
		b.used.Add(-more)
		b.refused.Add(1)
		return &BufferError{Size: size, Largest: b.max - b.max/4}
	}
	h.buffers, h.n = b, size
	return nil
}

// Release gives the part back. It may be called again, and the part may grow again.
func (h *Held) Release() {
	if h.n > 0 {
		h.buffers.used.Add(-h.n)
		h.n = 0
	}
}
