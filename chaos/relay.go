package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	// lookahead is how far a message is looked into.
	lookahead = 16 << 10
	// headMost is the most that the head of an HTTP message may have.
	headMost = 1 << 20
)

// relay passes messages on as they are, after they were looked at. What was taken is sent before it waits for more.
type relay struct {
	in  *bufio.Reader
	out *bufio.Writer
	to  *pipe
}

func newRelay(from io.Reader, to *pipe) *relay {
	return &relay{in: bufio.NewReaderSize(from, lookahead), out: bufio.NewWriterSize(to, chunk), to: to}
}

// peek looks at the next n bytes, at most lookahead, and waits for them.
func (r *relay) peek(n int) ([]byte, error) {
	if r.in.Buffered() < n {
		if err := r.out.Flush(); err != nil {
			return nil, err
		}
	}
	return r.in.Peek(n)
}

// pass sends the next n bytes on.
func (r *relay) pass(n int64) error { return r.take(n, r.out) }

// drop takes the next n bytes away.
func (r *relay) drop(n int64) error { return r.take(n, io.Discard) }

func (r *relay) take(n int64, to io.Writer) error {
	for n > 0 {
		if _, err := r.peek(1); err != nil {
			return err
		}
		b, _ := r.in.Peek(int(min(n, int64(r.in.Buffered()))))
		if _, err := to.Write(b); err != nil {
			return err
		}
		_, _ = r.in.Discard(len(b)) // they are in the buffer
		n -= int64(len(b))
	}
	return nil
}

// rest sends everything on, and looks at nothing any more.
func (r *relay) rest() error {
	for {
		if _, err := r.peek(1); err != nil {
			return r.end(err)
		}
		if err := r.pass(int64(r.in.Buffered())); err != nil {
			return err
		}
	}
}

// end sends what was taken, and what has come of a message that is not whole, when there is no more to read.
func (r *relay) end(err error) error {
	if errors.Is(err, errEnded) {
		return err
	}
	if b, _ := r.in.Peek(r.in.Buffered()); len(b) > 0 {
		_, _ = r.out.Write(b) // Flush returns the error
	}
	if flushed := r.out.Flush(); flushed != nil {
		return flushed
	}
	return err
}

// fire has a fault happen at this place.
func (r *relay) fire(m *meeting, where string) error {
	if err := r.out.Flush(); err != nil {
		return err
	}
	return r.to.fireHere(m, where)
}

// line gives the next line with its end.
func (r *relay) line() ([]byte, error) {
	var line []byte
	for {
		if _, err := r.peek(1); err != nil {
			return line, err
		}
		b, _ := r.in.Peek(r.in.Buffered())
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[:i+1]
		}
		line = append(line, b...)
		_, _ = r.in.Discard(len(b)) // they are in the buffer
		if bytes.HasSuffix(line, []byte("\n")) || len(line) > headMost {
			return line, nil
		}
	}
}

// peekLine looks at the next line, with its end.
func (r *relay) peekLine() ([]byte, error) {
	for n := 1; n <= lookahead; {
		if _, err := r.peek(n); err != nil {
			return nil, err
		}
		b, _ := r.in.Peek(r.in.Buffered())
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return b[:i+1], nil
		}
		n = len(b) + 1
	}
	return nil, errForeign
}
