package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

const lease = time.Minute

func relay(t *testing.T) *redis.Relay {
	t.Helper()
	c := run(t, redistest.Start(t).URL())
	eventually(t, "it answers", works(c))
	return c.Relay()
}

func TestPlaces(t *testing.T) {
	r := relay(t)
	attend := func(member string, slots int, lead, last string, lease time.Duration, seated bool, leader string, followers int) {
		t.Helper()
		s, l, f, err := r.Attend(t.Context(), "group", member, slots, lead, last, lease)
		if err != nil || s != seated || l != leader || f != followers {
			t.Errorf("%s: seated %v, leader %q, %d followers, %v", member, s, l, f, err)
		}
	}
	attend("a", 2, "", "", lease, true, "", 0)
	attend("b", 2, "", "", lease, true, "", 0)
	attend("a", 2, "a1", "", lease, true, "", 0) // nobody follows
	attend("c", 2, "", "", lease, false, "", 1)
	attend("d", 0, "", "", lease, false, "", 2)
	attend("c", 2, "c1", "", lease, false, "", 2) // has no place
	attend("a", 2, "a1", "", lease, true, "a1", 2)
	attend("b", 2, "b1", "", lease, true, "a1", 2)
	attend("a", 2, "a2", "a1", lease, true, "a2", 2)
	attend("b", 2, "b1", "a1", lease, true, "a2", 2)
	if s, _, _, err := r.Attend(t.Context(), "another", "c", 2, "", "", lease); err != nil || !s {
		t.Error("groups share places", err)
	}

	leave := func(member, lead string) {
		t.Helper()
		if err := r.Leave(t.Context(), "group", member, lead); err != nil {
			t.Error(err)
		}
	}
	leave("b", "b1") // which does not lead
	attend("d", 0, "", "", lease, false, "a2", 2)
	attend("d", 2, "", "", lease, true, "a2", 1)
	leave("a", "a2")
	attend("d", 2, "d1", "", lease, true, "d1", 1)
	leave("c", "")
	attend("d", 2, "d1", "", lease, true, "", 0) // nobody follows any more

	attend("e", 2, "", "", time.Millisecond, true, "", 0)
	eventually(t, "a lease ends", func() bool {
		s, _, _, err := r.Attend(t.Context(), "group", "f", 2, "", "", lease)
		return err == nil && s
	})
	eventually(t, "all leases end", func() bool {
		_, _, _, err := r.Attend(t.Context(), "brief", "a", 1, "", "", time.Millisecond)
		_, leader, followers, err2 := r.Attend(t.Context(), "brief", "b", 0, "", "", time.Millisecond)
		s, _, _, err3 := r.Attend(t.Context(), "brief", "c", 1, "", "", time.Millisecond)
		return errors.Join(err, err2, err3) == nil && leader == "" && followers == 1 && s
	})
}

func TestStreams(t *testing.T) {
	r := relay(t)
	ctx := t.Context()
	if frame, err := r.Last(ctx, "s"); frame != nil || err != nil {
		t.Errorf("%q, %v", frame, err)
	}
	if frames, err := r.Read(ctx, "s", 0, time.Millisecond); len(frames) > 0 || err != nil {
		t.Errorf("%q, %v", frames, err)
	}
	waiting := make(chan [][]byte, 1)
	go func() {
		frames, err := r.Read(ctx, "s", 0, lease)
		if err != nil {
			t.Error(err)
		}
		waiting <- frames
	}()
	for number, frame := range []string{"one", "\x00\xff", ""} {
		if err := r.Append(ctx, "s", uint64(number)+1, 1, []byte(frame)); err != nil {
			t.Error(err)
		}
	}
	if frames := <-waiting; len(frames) == 0 || string(frames[0]) != "one" {
		t.Errorf("%q", frames)
	}
	if err := r.Append(ctx, "s", 3, 1, []byte("again")); err == nil {
		t.Error("a number was taken twice")
	}
	frames, err := r.Read(ctx, "s", 1, lease)
	if err != nil || len(frames) != 2 || string(frames[0]) != "\x00\xff" || len(frames[1]) != 0 {
		t.Errorf("%q, %v", frames, err)
	}
	// What may be forgotten is, sooner or later.
	for number := uint64(4); number < 1000; number++ {
		if err := r.Append(ctx, "s", number, number, make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if frames, err = r.Read(ctx, "s", 0, lease); err != nil || len(frames) == 0 || string(frames[0]) == "one" {
		t.Errorf("%d frames from %q on, %v", len(frames), frames[0], err)
	}
	if frame, err := r.Last(ctx, "s"); len(frame) != 1<<10 || err != nil {
		t.Errorf("%q, %v", frame, err)
	}
}

func TestRelayWithoutAServer(t *testing.T) {
	c, err := redis.Open(redis.Options{URL: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Relay()
	ctx := context.Background()
	_, _, _, attended := r.Attend(ctx, "group", "a", 1, "", "", lease)
	_, last := r.Last(ctx, "s")
	_, read := r.Read(ctx, "s", 0, lease)
	for _, err := range []error{attended, last, read, r.Append(ctx, "s", 1, 1, nil), r.Leave(ctx, "group", "a", "")} {
		if !errors.Is(err, redis.ErrAway) {
			t.Error(err)
		}
	}
}
