package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

// healed waits until the feed has been broken and is live again, and checks that changes arrive.
func (f *follower) healed(id int) {
	f.t.Helper()
	f.state(feed.Broken)
	f.state(feed.Live)
	f.arrives(id)
}

// arrives writes a mark and waits for it.
func (f *follower) arrives(id int) {
	f.t.Helper()
	insertMark(f.t, f.dsn, id)
	f.await("the mark", func(e event) bool {
		return e.name == "committed" && strings.HasSuffix(f.describe(e.tx)[0], fmt.Sprintf("(%d)", id))
	})
}

// undisturbed says that a feed was never broken until now.
func (f *follower) undisturbed() {
	f.t.Helper()
	for {
		select {
		case e := <-f.events:
			if e.name == "state" && e.state != feed.Live {
				f.t.Errorf("%s: %s", e.state, e.reason)
			}
		default:
			return
		}
	}
}

// leaves waits until the feed has been broken for a reason, and is live again.
func (f *follower) leaves(reason string) {
	f.t.Helper()
	f.await(reason, func(e event) bool { return e.state == feed.Broken && strings.Contains(e.reason, reason) })
	f.state(feed.Live)
}

// The leader ends, and one of those that followed it leads the others from a slot of its own.
func TestHealsWhenTheLeaderEnds(t *testing.T) {
	t.Parallel()
	leader, followers := sharers(t, redistest.Start(t), database(t, markTable), 2)
	leader.eventually("it leads", func(st feed.Status) bool { return st.Followers == 2 && st.Slot != "" })
	leader.stop()
	for i, f := range followers {
		f.leaves("does not lead any more")
		f.arrives(i)
	}
	a, b := followers[0].feed.Status(), followers[1].feed.Status()
	if a.Slot == "" {
		a, b = b, a
	}
	if a.Slot == "" || b.Leader != a.Slot || b.Slot != "" || a.Leader != "" {
		t.Errorf("%+v and %+v", a, b)
	}
}

// The leader is killed, and says nothing: its place goes to one of those who followed.
func TestHealsWhenTheLeaderIsKilled(t *testing.T) {
	t.Parallel()
	server, dsn := redistest.Start(t), database(t, markTable)
	leader, slot := stray(t, dsn, server.URL())
	f := follow(t, dsn, sharing(relay(t, server.URL()), 1))
	if got := f.feed.Status().Leader; got != slot {
		t.Errorf("it follows %q, not %q", got, slot)
	}
	if err := leader.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = leader.Wait() // it was killed
	f.leaves("nothing has come")
	f.arrives(1)
	f.eventually("it has a slot", func(st feed.Status) bool { return st.Slot != "" })
	await(t, dsn, "select count(*) = 1 from pg_replication_slots where database = current_database()")
}

// One with a slot, which only waited for its turn, leads when the leader is gone.
func TestHealsByAnotherWithASlot(t *testing.T) {
	t.Parallel()
	server, dsn := redistest.Start(t), database(t, markTable)
	first := follow(t, dsn, sharing(relay(t, server.URL()), 2))
	second := follow(t, dsn, sharing(relay(t, server.URL()), 2))
	third := follow(t, dsn, sharing(relay(t, server.URL()), 2))
	leader, other := first, second
	if third.feed.Status().Leader == second.feed.Status().Slot {
		leader, other = second, first
	}
	leader.stop()
	third.leaves("does not lead any more")
	third.arrives(1)
	if got, want := third.feed.Status().Leader, other.feed.Status().Slot; got != want {
		t.Errorf("it follows %q, not %q", got, want)
	}
	other.undisturbed()
}

// The leader's stream breaks: the leader does not end, but has another slot.
func TestHealsWhenTheLeadersStreamBreaks(t *testing.T) {
	t.Parallel()
	leader, followers := sharers(t, redistest.Start(t), database(t, markTable), 1)
	for i := range 2 {
		pgtest.Exec(t, leader.dsn, "select pg_terminate_backend(active_pid) from pg_replication_slots where active and database = current_database()")
		leader.healed(i)
		followers[0].healed(10 + i)
	}
}

// What the Redis has is lost: frames, the lead, and who has a place.
func TestHealsWhenRedisIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	leader, followers := sharers(t, server, database(t, markTable), 2)
	for i := range 2 {
		server.Kill()
		leader.arrives(10 * i)
		for _, f := range followers {
			f.state(feed.Broken)
			f.await("it waits", func(e event) bool { return strings.Contains(e.reason, "waiting for Redis") })
		}
		if i == 1 {
			time.Sleep(7 * round) // longer than places last
		}
		server.Restart()
		for n, f := range followers {
			f.state(feed.Live)
			f.arrives(10*i + 1 + n)
		}
	}
	if leader.undisturbed(); leader.feed.Status().Slot == "" {
		t.Errorf("%+v", leader.feed.Status())
	}
}

func TestHealsWhenRedisStandsStill(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	leader, followers := sharers(t, server, database(t, markTable), 1)
	f := followers[0]
	for i := range 2 {
		server.Pause()
		leader.arrives(10 * i)
		f.state(feed.Broken)
		server.Resume()
		f.state(feed.Live)
		f.arrives(10*i + 1)
	}
	leader.undisturbed()
}

// Redis is away from the start: everybody has a slot, until it is there.
func TestWithoutRedisEachHasASlot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	dsn := database(t, markTable)
	one, two := follow(t, dsn, sharing(relay(t, server.URL()), 1)), follow(t, dsn, sharing(relay(t, server.URL()), 1))
	if a, b := one.feed.Status().Slot, two.feed.Status().Slot; a == b || a == "" || b == "" {
		t.Errorf("slots %q and %q", a, b)
	}
	server.Restart()
	follows := func() bool { return one.feed.Status().Leader != "" || two.feed.Status().Leader != "" }
	for !follows() {
		time.Sleep(time.Millisecond)
	}
	for i, f := range []*follower{one, two} {
		f.eventually("it is live", func(st feed.Status) bool { return st.State == feed.Live })
		f.arrives(i)
	}
}

// change is what becomes of frames that were read from a stream.
type change func(stream string, frames [][]byte) [][]byte

// faulty is a Relay of which a test loses or forges frames, and whose signs of life it holds back.
type faulty struct {
	*redis.Relay
	mute atomic.Bool
	// change is made to the next frames that are read; nil: none.
	change atomic.Pointer[change]
}

func (r *faulty) Attend(ctx context.Context, group, member string, slots int, lead, last string, lease time.Duration) (bool, string, int, error) {
	if r.mute.Load() {
		return false, "", 0, errors.New("cut off")
	}
	return r.Relay.Attend(ctx, group, member, slots, lead, last, lease)
}

func (r *faulty) Read(ctx context.Context, stream string, after uint64, wait time.Duration) ([][]byte, error) {
	frames, err := r.Relay.Read(ctx, stream, after, wait)
	if change := r.change.Load(); change != nil && len(frames) > 0 {
		r.change.Store(nil)
		frames = (*change)(stream, frames)
	}
	return frames, err
}

// A leader that has lost touch keeps its slot and its stream, and another one leads: both relay for a while.
func TestTwoLeaders(t *testing.T) {
	t.Parallel()
	server, dsn := redistest.Start(t), database(t, markTable)
	cut := &faulty{Relay: relay(t, server.URL())}
	old := follow(t, dsn, sharing(cut, 1))
	one := follow(t, dsn, sharing(relay(t, server.URL()), 1))
	two := follow(t, dsn, sharing(relay(t, server.URL()), 1))
	old.eventually("it leads", func(st feed.Status) bool { return st.Followers == 2 })
	cut.mute.Store(true)
	for _, f := range []*follower{one, two} {
		f.leaves("does not lead any more")
	}
	insertMark(t, dsn, 1)
	compare(t, []*feed.Transaction{one.committed()}, []*feed.Transaction{old.committed()})
	two.committed()
	if st := old.feed.Status(); st.State != feed.Live || st.Followers != 2 {
		t.Errorf("what knows of no other leader leads on: %+v", st)
	}
	cut.mute.Store(false)
	old.leaves("other instances have all places")
	old.arrives(2)
	if st := old.feed.Status(); st.Leader == "" {
		t.Errorf("%+v", st)
	}
}

func TestFramesThatAreWrongEndTheSession(t *testing.T) {
	t.Parallel()
	server, dsn := redistest.Start(t), database(t, markTable)
	follow(t, dsn, sharing(relay(t, server.URL()), 1))
	bad := &faulty{Relay: relay(t, server.URL())}
	f := follow(t, dsn, sharing(bad, 1))
	var first []byte
	remember := change(func(_ string, frames [][]byte) [][]byte { first = frames[0]; return frames })
	bad.change.Store(&remember)
	f.beat()
	f.beat()
	trim := client(t, server.URL())
	for trim.Conn() == nil {
		time.Sleep(time.Millisecond)
	}
	for i, tc := range []struct {
		change change
		reason string
	}{
		{func(stream string, _ [][]byte) [][]byte {
			conn := trim.Conn()
			if err := conn.Do(t.Context(), conn.B().Xtrim().Key("slipstream:feed:stream:"+stream).Maxlen().Threshold("0").Build()).Error(); err != nil {
				t.Error(err)
			}
			return nil
		}, "frames are lost"},
		{func(_ string, frames [][]byte) [][]byte { return append(frames, frames[0]) }, "frames are lost"},
		{func(string, [][]byte) [][]byte { return [][]byte{first} }, "frame"}, // an old one, perhaps of another stream by now
		{func(_ string, frames [][]byte) [][]byte { frames[0][9] ^= 1; return frames }, "not sealed with our secret"},
		{func(_ string, frames [][]byte) [][]byte { return [][]byte{frames[0][:len(frames[0])-1]} }, "not sealed with our secret"},
		{func(string, [][]byte) [][]byte { return [][]byte{nil} }, "not sealed with our secret"},
	} {
		bad.change.Store(&tc.change)
		f.leaves(tc.reason)
		f.arrives(i)
	}
}

// Feeds with other secrets, or of other databases, share nothing.
func TestStrangersShareNothing(t *testing.T) {
	t.Parallel()
	server, dsn := redistest.Start(t), database(t, markTable)
	elsewhere := database(t, markTable)
	for _, f := range []*follower{
		follow(t, dsn, sharing(relay(t, server.URL()), 1)),
		follow(t, dsn, sharing(relay(t, server.URL()), 1), func(o *feed.Options) { o.Sharing.Secret = []byte("another") }),
		follow(t, elsewhere, sharing(relay(t, server.URL()), 1)),
	} {
		if st := f.feed.Status(); st.Slot == "" || st.Leader != "" {
			t.Errorf("%+v", st)
		}
	}
}

// Where the server has no slot for one who may have a place, it follows.
func TestFollowsWhereThereAreNoSlots(t *testing.T) {
	t.Parallel()
	dsn := cluster(t, directory(t), map[string]string{"max_replication_slots": "1"}).DSN("postgres")
	pgtest.Exec(t, dsn, markTable)
	install(t, dsn)
	server := redistest.Start(t)
	one := follow(t, dsn, sharing(relay(t, server.URL()), 4))
	two := follow(t, dsn, sharing(relay(t, server.URL()), 4))
	if got, want := two.feed.Status().Leader, one.feed.Status().Slot; got != want || want == "" {
		t.Errorf("it follows %q, not %q", got, want)
	}
	two.arrives(1)
	two.stop() // before the server does
	one.stop()
}
