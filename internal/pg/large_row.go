package pg

import (
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/slipstream-go/slipstream/limit"
)

// largeRow is the size of a read, in bytes, from which on room is asked for: a message that is not longer waits in the
// buffers of the connection.
const largeRow = 1 << 20

// rowReader asks for room for a message before its bytes are read: pgproto3 reads all of a row into one buffer, whose size it
// asks for. What has no room is not read, and the connection is of no use afterwards.
type rowReader struct {
	io.Reader
	buffers *limit.Buffers
	held    limit.Held
}

// frontend is a pgconn.BuildFrontendFunc.
func (o *Options) frontend(r io.Reader, w io.Writer) *pgproto3.Frontend {
	return pgproto3.NewFrontend(&rowReader{Reader: r, buffers: o.Buffers}, w)
}

// smallRead is the buffer of pgproto3 for all but large messages, in bytes: when it asks for no more it has given the large
// one back.
const smallRead = 8 << 10

func (r *rowReader) Read(p []byte) (int, error) {
	switch {
	case len(p) > largeRow:
		if err := r.held.Grow(r.buffers, int64(len(p))); err != nil {
			return 0, err
		}
	case len(p) <= smallRead:
		r.held.Release()
	}
	n, err := r.Reader.Read(p)
	if err != nil {
		r.held.Release()
	}
	return n, err
}

// noRoom reports whether a connection was given up for want of memory, and not lost.
func noRoom(err error) bool {
	var e *limit.BufferError
	return errors.As(err, &e)
}
