package edge

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// serve runs h for one request of c, so that neither a body that trickles in nor an answer that nobody takes holds anything
// for long.
func (s *Server) serve(c *conn, h http.Handler, w http.ResponseWriter, r *http.Request) {
	c.begin()
	defer c.end()
	if r.ContentLength != 0 {
		r = r.WithContext(r.Context()) // a copy: net/http looks at the body of its own to see what is left of it before it answers
		body := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), window: s.options.BodyWindow, left: s.options.BodyWindow, set: c.set}
		r.Body = body
		defer body.finish()
	}
	if r.ProtoMajor < 2 {
		h.ServeHTTP(w, r)
		return
	}
	defer s.countReset(c, r)
	paced := &pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), stall: s.options.WriteStall}
	defer paced.arm() // what is still in buffers is written after the handler
	h.ServeHTTP(paced, r)
}

// pacedBytes is how much of a body must come in each BodyWindow, in bytes; its end may come in less.
const pacedBytes = 10 << 10

// pacedBody is a body that must come at a pace. Only the time in which somebody waits for it counts.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	window  time.Duration
	left    time.Duration // of the window
	got     int           // bytes in the window
	ended   bool
	set     *connections
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.got >= pacedBytes {
		b.got, b.left = 0, b.window
	}
	began := time.Now()
	_ = b.control.SetReadDeadline(began.Add(b.left))
	n, err := b.ReadCloser.Read(p)
	b.got += n
	b.left = max(b.left-time.Since(began), 0)
	if err == nil {
		return n, nil
	}
	b.ended = true
	// Else net/http, which goes on reading to see the client leave, would take the end of the time for that.
	_ = b.control.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.set.slow.Add(1)
		_ = b.control.SetReadDeadline(time.Now()) // nobody waits for the rest
		return n, &apierr.Error{
			Code: "SLIP233", Message: "The body came too slowly", Hint: "Send it faster, or in smaller parts",
			Cause: err,
		}
	}
	return n, err
}

// finish bounds what net/http does with a body that the handler has not read: it reads some more, to keep the connection.
func (b *pacedBody) finish() {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(b.left))
	}
}

// pacedWriter bounds how long a client of HTTP/2 may leave no room in the window of a stream. The connection's own deadline
// does not see that: nothing is written then. HTTP/1.1 does not need it.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	written int
}

// h2Buffer is what net/http holds back of an answer: until then a write does not wait, in bytes.
const h2Buffer = 4 << 10

func (w *pacedWriter) Write(p []byte) (n int, err error) {
	if w.written += len(p); w.written <= h2Buffer {
		return w.ResponseWriter.Write(p)
	}
	defer w.disarm() // a handler may take as long as it likes between two writes
	for {
		w.arm()
		m, err := w.ResponseWriter.Write(p[n:min(len(p), n+stallPiece)])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

func (w *pacedWriter) arm()    { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }
func (w *pacedWriter) disarm() { _ = w.control.SetWriteDeadline(time.Time{}) }

// Flush is http.Flusher.
func (w *pacedWriter) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *pacedWriter) FlushError() error {
	w.arm()
	defer w.disarm()
	return w.control.Flush()
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// resetsAllowed is how many requests a client of HTTP/2 may take back on a connection before it is looked at how many it
// leaves.
const resetsAllowed = 100

// countReset cuts a connection that takes back most of its requests: each has begun work, and cost the client next to
// nothing (CVE-2023-44487). That no more than MaxConcurrentStreams are worked on at a time, net/http sees to.
func (s *Server) countReset(c *conn, r *http.Request) {
	requests := c.requests.Add(1)
	if r.Context().Err() == nil {
		return
	}
	if resets := c.resets.Add(1); resets >= resetsAllowed && 2*resets > requests {
		if !c.cut.Swap(true) { // all that were under way end by it
			c.set.reset.Add(1)
		}
		_ = c.Close()
	}
}
