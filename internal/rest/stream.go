package rest

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// gucSQL reads what functions have left for the answer so far.
const gucSQL = "select nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')"

// Restart implements pg.Sink. What is on its way cannot be taken back.
func (s *streamer) Restart() bool {
	return !s.started && s.answer.Restart()
}

// streamChunk is how much is written at a time once the answer is on its way, in bytes.
const streamChunk = 64 << 10

// placeWait is for how long an answer waits for one of the places of streams: long for quick clients, and short for
// those who wait for the connection it holds meanwhile.
const placeWait = time.Second

// errClientStopped means that the rest of a stream could not be written.
var errClientStopped = errors.New("the client took no more")

// The statements of a stream.
const (
	gucBefore = iota
	mainRows
	gucAfter
	estimate
)

// stream answers row by row. The first StreamBuffer bytes are held back: an answer that ends within them gets its
// exact Content-Length and Content-Range, and an error within them a proper envelope. Beyond them the answer is
// chunked, and an error can only be shown by breaking the connection off: never is a well-formed half sent.
func (a *answer) stream() error {
	s := &streamer{answer: a, held: a.held}
	defer s.leave()
	// What the pre-request function sets must be known before the first byte goes out, what a called function sets
	// is known after its rows only.
	guc := pg.Statement{SQL: gucSQL}
	a.statements = append(a.statements, guc, pg.Statement{SQL: a.plan.SQL, Args: a.args}, guc)
	a.addEstimate()
	err := a.readAnywhere(a.statements, s)
	a.info.MarkTiming(telemetry.PhaseTransaction)
	if !s.started {
		if err != nil {
			return err
		}
		return a.respond()
	}
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		s.abort(err)
	}
	_ = http.NewResponseController(a.w).SetWriteDeadline(time.Time{}) // for the connection's next answer
	return nil
}

// streamer is the pg.Sink of a streamed answer.
type streamer struct {
	*answer
	started bool // the status line is out
	held    bool // nothing may be sent yet: the answer to a write, or in a batch
	placed  bool // it has one of the places of streams
	skip    int  // leading columns that are not the answer's: total and presence of a counted result
}

// Columns implements pg.Sink.
func (s *streamer) Columns(statement int, names []string) error {
	if statement != mainRows {
		return nil
	}
	if s.plan.Counted {
		s.skip = 2
	}
	if s.plan.Format == plan.CSVRows {
		s.body = appendCSVNames(s.body, names[s.skip:])
	}
	return nil
}

// Row implements pg.Sink.
func (s *streamer) Row(statement int, values [][]byte) error {
	switch statement {
	case gucBefore, gucAfter:
		s.takeCustom(values[0], values[1])
		if len(values) > 2 { // writtenSQL
			s.inserted = parseCount(values[2])
		}
		return nil
	case estimate:
		s.readEstimate(values[0])
		return nil
	}
	if s.skip > 0 {
		s.total = parseCount(values[0])
		if values[1] == nil {
			return nil // no row, only the total
		}
	}
	s.rows++
	for _, v := range values[s.skip:] {
		if err := s.makeRoom(len(s.body) + len(v)); err != nil {
			return err
		}
	}
	if s.plan.Format == plan.CSVRows {
		s.body = appendCSVRow(s.body, values[s.skip:])
	} else {
		s.body = append(append(s.body, values[s.skip]...), '\n')
	}
	if s.held {
		return nil
	}
	if len(s.body) > s.options.StreamBuffer || s.started && len(s.body) > streamChunk {
		return s.flush()
	}
	return nil
}

// flush sends what is held back, and before the first of it the head of the answer.
func (s *streamer) flush() error {
	if !s.started {
		if err := s.start(); err != nil {
			return err
		}
	}
	// A writer without deadlines, as in tests, does without.
	_ = http.NewResponseController(s.w).SetWriteDeadline(time.Now().Add(s.options.StreamStall))
	if _, err := s.w.Write(s.body); err != nil {
		return fmt.Errorf("%w: %w", errClientStopped, err)
	}
	s.body = s.body[:0]
	return nil
}

// enter takes one of the places of streams, or refuses after placeWait. A stream holds its connection for as long as its
// client reads: a few slow ones must not take all from the other requests, while a burst of quick ones gets through. Once one
// has waited in vain, nobody waits until a place gets free: a crowd that waits in turn would have the connection for as long.
func (s *streamer) enter() error {
	select {
	case s.streams <- struct{}{}:
		s.placed = true
		return nil
	default:
	}
	if s.crowded.Load() {
		return errNoPlace()
	}
	patience := time.NewTimer(placeWait)
	defer patience.Stop()
	select {
	case s.streams <- struct{}{}:
		s.placed = true
		return nil
	case <-s.r.Context().Done():
		return s.r.Context().Err()
	case <-patience.C:
		s.crowded.Store(true)
		return errNoPlace()
	}
}

func errNoPlace() error {
	return &apierr.Error{
		Code: "SLIP107", Message: "Too many large answers are being sent",
		Hint: "Try again later, or ask for less at a time", Header: http.Header{"Retry-After": {"1"}},
	}
}

func (s *streamer) leave() {
	if s.placed {
		<-s.streams
		s.crowded.Store(false)
	}
}

// start sends the head of an answer whose length is not known.
func (s *streamer) start() error {
	if err := s.enter(); err != nil {
		return err
	}
	h := head{status: http.StatusOK, contentRange: "*/*"}
	if total := s.total; total != noTotal && s.req.Prefer.Count == "exact" {
		lower := s.req.Window.Offset
		rows := max(total-lower, 0)
		if w := s.req.Window.Restrict(s.plan.MaxRows); w.Limit >= 0 {
			rows = min(rows, w.Limit)
		}
		h.contentRange = contentRange(lower, lower+rows-1, total)
		if rows < total {
			h.status = http.StatusPartialContent
		}
	}
	if err := s.customize(&h); err != nil {
		return err
	}
	s.setHead(s.w.Header(), &h)
	s.setLast(s.w.Header())
	s.started = true
	s.w.WriteHeader(h.status)
	return nil
}

// abort breaks the connection off, so that the client sees that the answer is not whole.
func (s *streamer) abort(err error) {
	if s.r.Context().Err() == nil && !errors.Is(err, errClientStopped) {
		s.options.Logger.Warn("stream broken off", "id", requestID(s.info), "error", err)
	}
	panic(http.ErrAbortHandler)
}
