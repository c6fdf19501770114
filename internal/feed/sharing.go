package feed

import (
	"context"
	"errors"
	"time"
)

// Sharing lets many feeds of a database do with few slots: some have one, and one of these, the leader, relays its stream
// to those that have none.
type Sharing struct {
	// Relay is where they meet.
	Relay Relay
	// Slots is how many have a slot of their own. It may be more for a moment, when one has lost touch with the others, and
	// as long as the Relay is away. Default 4.
	Slots int
	// Secret is what the rows on their way through the Relay are encrypted with. Feeds with different secrets share nothing.
	Secret []byte
	// Round is the time between signs of life. A leader without one for three rounds is followed no more, and who gives none
	// for five has lost its place. Default 1 s.
	Round time.Duration
}

// Relay keeps the places and carries the streams, and is never relied upon for more than speed: see the package's comment.
type Relay interface {
	Places
	Streams
}

// Places says who has a slot, who leads and who follows, in each group of feeds of the same database.
type Places interface {
	// Attend gives a sign of life that lasts for the lease. With slots above 0, it asks for one of so many places with a slot,
	// or for the same again; who gets none follows. Who has one may lead, by the name of its stream: if nobody does, or
	// instead of the stream that was its last, and only while somebody follows. It returns the leader's stream, empty without
	// one, and how many follow.
	Attend(ctx context.Context, group, member string, slots int, lead, last string, lease time.Duration) (seated bool, leader string, followers int, err error)
	// Leave gives up a member's place, and the lead if that is its.
	Leave(ctx context.Context, group, member, lead string) error
}

// Streams are numbered frames, each stream written by one member only. They vanish some time after the last.
type Streams interface {
	// Append adds a frame, which must have a greater number than all others. Those before oldest may be forgotten.
	Append(ctx context.Context, stream string, number, oldest uint64, frame []byte) error
	// Last returns the newest frame, nil without one.
	Last(ctx context.Context, stream string) ([]byte, error)
	// Read returns frames after a number in their order, as soon as there are some or none after the wait.
	Read(ctx context.Context, stream string, after uint64, wait time.Duration) ([][]byte, error)
}

// errRelay is in all errors that end a session because of what others do. Another may begin at once.
var errRelay = errors.New("the relay of the change feed")

func (s Sharing) withDefaults() Sharing {
	if s.Slots == 0 {
		s.Slots = 4
	}
	if s.Round == 0 {
		s.Round = time.Second
	}
	return s
}

func (s Sharing) silence() time.Duration { return 3 * s.Round }
func (s Sharing) lease() time.Duration   { return 5 * s.Round }
