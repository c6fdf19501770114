package rest

import (
	"net/http"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
)

// gucSQL reads what functions have left for the answer so far.
const gucSQL = "select nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')"

// stream answers row by row. The first StreamBuffer bytes are held back: an answer that ends within them gets its
// exact Content-Length and Content-Range, and an error within them a proper envelope. Beyond them the answer is
// chunked, and an error can only be shown by breaking the connection off: never is a well-formed half sent.
func (x *exchange) stream(a *answer) error {
	s := &streamer{answer: a}
	guc := pg.Statement{SQL: gucSQL}
	main := pg.Statement{SQL: a.plan.SQL, Args: a.plan.Bind(nil, x.req, x.options.Plan, nil)}
	// What the pre-request function sets must be known before the first byte goes out, what a called function sets
	// is known after its rows only.
	a.statements = append(a.statements, guc, main, guc)
	a.addEstimate()
	err := x.db.Read(x.r.Context(), x.tx(a.plan), a.statements, s)
	switch {
	case err != nil && s.started:
		x.options.Logger.Warn("stream broken off", "id", requestID(x.info), "error", err)
		panic(http.ErrAbortHandler)
	case err != nil:
		return err
	case s.started:
		return s.flush()
	}
	return a.respond()
}

// The statements of a stream.
const (
	gucBefore = iota
	mainRows
	gucAfter
	estimate
)

// streamer is the pg.Sink of a streamed answer.
type streamer struct {
	*answer
	started bool // the status line is out
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
		for i, n := range names[s.skip:] {
			if i > 0 {
				s.body = append(s.body, ',')
			}
			s.body = appendCSV(s.body, []byte(n))
		}
	}
	return nil
}

// Row implements pg.Sink.
func (s *streamer) Row(statement int, values [][]byte) error {
	switch statement {
	case gucBefore, gucAfter:
		if !s.started {
			s.headers = append(s.headers[:0], values[0]...)
			s.status = append(s.status[:0], values[1]...)
		}
		return nil
	case estimate:
		return s.estimated(values[0])
	}
	if s.skip > 0 {
		s.total = parseCount(values[0])
		if values[1] == nil {
			return nil // no row, only the total
		}
	}
	s.rows++
	values = values[s.skip:]
	if s.plan.Format == plan.CSVRows {
		s.body = append(s.body, '\n')
		for i, v := range values {
			if i > 0 {
				s.body = append(s.body, ',')
			}
			if v != nil {
				s.body = appendCSV(s.body, v)
			}
		}
	} else {
		s.body = append(append(s.body, values[0]...), '\n')
	}
	if len(s.body) > s.options.StreamBuffer || s.started && len(s.body) > streamChunk {
		return s.flush()
	}
	return nil
}

// streamChunk is how much is written at a time once the answer is on its way, in bytes.
const streamChunk = 64 << 10

// flush sends what is held back, and before the first of it the head of the answer.
func (s *streamer) flush() error {
	if !s.started {
		if err := s.start(); err != nil {
			return err
		}
	}
	if _, err := s.w.Write(s.body); err != nil {
		return err
	}
	s.body = s.body[:0]
	return nil
}

// start sends the head of an answer whose length is not known.
func (s *streamer) start() error {
	status := http.StatusOK
	h := s.w.Header()
	s.setCommon()
	if total := s.total; total != noTotal && s.req.Prefer.Count == "exact" {
		lower := s.req.Window.Offset
		rows := max(total-lower, 0)
		if limit := s.pageLimit(); limit >= 0 {
			rows = min(rows, limit)
		}
		h.Set("Content-Range", contentRange(lower, lower+rows-1, total))
		if rows < total {
			status = http.StatusPartialContent
		}
	}
	status, err := s.override(status)
	if err != nil {
		return err
	}
	s.setVary()
	s.setTiming()
	s.w.WriteHeader(status)
	s.started = true
	return nil
}

// pageLimit is the limit of the page under db-max-rows, or -1.
func (s *streamer) pageLimit() int64 {
	limit, most := s.req.Window.Limit, s.options.Plan.MaxRows
	if most > 0 && (limit < 0 || limit > most) {
		return most
	}
	return limit
}

// appendCSV quotes where RFC 4180 and PostgreSQL's own composite output would: PostgREST's clients see the same text,
// except that a backslash is not doubled, which no CSV reader would undo.
func appendCSV(dst, v []byte) []byte {
	if len(v) > 0 && !strings.ContainsAny(string(v), "\",()\\ \t\n\r\v\f") {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for _, c := range v {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
