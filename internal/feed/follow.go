package feed

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// follower is a transport: the stream of a leader.
type follower struct {
	*member
	sealer
	// last is the number of the frame that was read last.
	last uint64
}

// follow joins a stream at its end.
func (m *member) follow(ctx context.Context, stream string) (*follower, error) {
	f := &follower{member: m, sealer: newSealer(m.Secret, stream)}
	ctx, cancel := context.WithTimeout(ctx, m.silence())
	defer cancel()
	frame, err := m.Relay.Last(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRelay, err)
	}
	if frame != nil {
		f.last, _, err = f.open(frame)
	}
	return f, err
}

// leader is the name of the slot that the stream is of.
func (f *follower) leader() string {
	_, name, _ := strings.Cut(f.stream, "/")
	name, _, _ = strings.Cut(name, ".")
	return name
}

// identify implements transport: the group is the server's.
func (f *follower) identify(context.Context) (origin, error) { return f.session.origin, nil }

// run implements transport.
func (f *follower) run(ctx context.Context, to receiver) error {
	heard := time.Now()
	for {
		frames, err := f.read(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, frame := range frames {
			number, items, err := f.open(frame)
			if err != nil {
				return err
			}
			if number != f.last+1 {
				return fmt.Errorf("%w: frames are lost, %d came after %d", errRelay, number, f.last)
			}
			if err := deliver(items, to); err != nil {
				return fmt.Errorf("%w: %w", errRelay, err)
			}
			f.last, heard = number, time.Now()
		}
		if time.Since(heard) > f.silence() {
			if err != nil {
				return fmt.Errorf("%w: %w", errRelay, err)
			}
			return fmt.Errorf("%w: nothing has come from %s for %s", errRelay, f.leader(), f.silence())
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(f.Round / 10):
			}
		}
	}
}

func (f *follower) read(ctx context.Context) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*f.Round)
	defer cancel()
	return f.Relay.Read(ctx, f.stream, f.last, f.Round)
}

// keep implements place.
func (f *follower) keep(ctx context.Context) error {
	defer f.leave("")
	for {
		a, err := f.attend(ctx, 0, "", "")
		if err == nil && a.leader != f.stream {
			return fmt.Errorf("%w: %s does not lead any more", errRelay, f.leader())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.Round):
		}
	}
}

// opened implements place: it never is.
func (f *follower) opened() {}

// close implements transport.
func (f *follower) close() {}
