package limit_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/limit"
)

func TestBuffersRefuseWhatIsTooMuch(t *testing.T) {
	b := limit.NewBuffers(4 << 20)
	var large, second, small limit.Held
	if err := large.Grow(b, 3<<20); err != nil {
		t.Fatal(err)
	}
	err := second.Grow(b, 100<<10)
	var refused *limit.BufferError
	if !errors.As(err, &refused) || refused.Size != 100<<10 || refused.Largest != 3<<20 {
		t.Errorf("a large one beyond three quarters: %v", err)
	}
	if err := small.Grow(b, 64<<10); err != nil {
		t.Errorf("a small one, for which a quarter is kept: %v", err)
	}
	if got := b.Used(); got != 3<<20+64<<10 {
		t.Errorf("%d bytes used", got)
	}
	if err := small.Grow(b, 100<<10); err == nil {
		t.Error("what was small may grow on the quarter of the small ones")
	}
	large.Release()
	large.Release()
	if err := small.Grow(b, 100<<10); err != nil {
		t.Errorf("with room again: %v", err)
	}
	small.Release()
	if b.Used() != 0 || b.Refused() != 2 {
		t.Errorf("%d bytes used, %d times refused", b.Used(), b.Refused())
	}
}

// However many ask at once, no more is held than there is room for, and all of it comes back.
func TestBuffersUnderContention(t *testing.T) {
	const room, part = 1 << 20, 200 << 10
	b := limit.NewBuffers(room)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 1000 {
				var h limit.Held
				if h.Grow(b, part) == nil && h.Grow(b, 2*part) == nil && b.Used() < 2*part {
					t.Error("held and not counted")
				}
				h.Release()
			}
		})
	}
	wg.Wait()
	if b.Used() != 0 {
		t.Errorf("%d bytes are still held", b.Used())
	}
}

func TestNoBuffersHaveNoBound(t *testing.T) {
	var h limit.Held
	if err := h.Grow(limit.NewBuffers(0), 1<<50); err != nil {
		t.Error(err)
	}
	h.Release()
}

func TestHeldAllocatesNothing(t *testing.T) {
	b := limit.NewBuffers(1 << 20)
	if n := testing.AllocsPerRun(100, func() {
		var h limit.Held
		_ = h.Grow(b, 1000)
		h.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
