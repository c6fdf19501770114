package feed

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// holder is a session with a slot of its own, among those that share slots: it may lead.
type holder struct {
	*member
	copier *copier
	// streams is set when there is something to lead by.
	streams atomic.Bool
	// out is the stream that it offers or leads with, nil while nobody follows; last the one before.
	out    *outgoing
	last   string
	number int // of streams so far
	stop   context.CancelFunc
	writes sync.WaitGroup
}

// opened implements place.
func (h *holder) opened() { h.streams.Store(true) }

// keep implements place.
func (h *holder) keep(ctx context.Context) error {
	defer func() {
		h.retire()
		h.leave(h.last)
	}()
	for {
		if err := h.round(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(h.Round):
		}
	}
}

// round looks after the place and the lead. While the Relay is away, both stay as they are.
func (h *holder) round(ctx context.Context) error {
	if h.out != nil && h.out.over.Load() {
		h.retire()
	}
	a, err := h.attend(ctx, h.Slots, h.lead(), h.last)
	if err == nil && a.seated && a.followers > 0 && h.out == nil && h.streams.Load() && (a.leader == "" || a.leader == h.last) {
		// Everything that is decoded after the offer is in the stream: see the package's comment.
		h.offer(ctx)
		a, err = h.attend(ctx, h.Slots, h.lead(), h.last)
	}
	switch {
	case err != nil:
		return nil
	case !a.seated:
		return fmt.Errorf("%w: other instances have all places with a slot", errRelay)
	case h.out != nil && a.leader != h.out.stream:
		h.retire()
	}
	if h.out == nil {
		a.followers = 0
	}
	h.session.feed.update(func(st *Status) { st.Followers = a.followers })
	return nil
}

func (h *holder) lead() string {
	if h.out == nil {
		return ""
	}
	return h.out.stream
}

// offer begins a stream, which is known to nobody yet.
func (h *holder) offer(ctx context.Context) {
	h.number++
	out := newOutgoing(h.Secret, fmt.Sprintf("%s/%s.%d", h.group, h.session.name, h.number))
	ctx, h.stop = context.WithCancel(ctx)
	h.out = out
	h.copier.out.Store(out)
	h.writes.Go(func() {
		if err := out.write(ctx, h.Sharing); ctx.Err() == nil {
			h.session.feed.options.Logger.Warn("the change feed is not relayed", "error", err)
		}
	})
}

// retire ends the stream, if there is one. Who follows finds out by its silence, or by another leader.
func (h *holder) retire() {
	if h.out == nil {
		return
	}
	h.copier.out.Store(nil)
	h.stop()
	h.writes.Wait()
	h.last, h.out = h.out.stream, nil
}
