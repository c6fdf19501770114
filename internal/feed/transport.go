package feed

import "context"

// transport brings a session the messages of the log, from a slot of its own or from another session's.
type transport interface {
	// identify tells which server they are of.
	identify(ctx context.Context) (origin, error)
	// run passes on what comes until ctx ends or the transport breaks. Its error is never nil.
	run(ctx context.Context, to receiver) error
	close()
}
