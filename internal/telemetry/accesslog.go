package telemetry

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// AccessLogOptions are the settings of NewAccessLog. The zero value is usable.
type AccessLogOptions struct {
	// Level leaves out requests below it, see StatusLevel. Default info: all are logged.
	Level slog.Leveler
	// Queue is how many lines may wait for the writer before lines are dropped.
	// Default 8192.
	Queue int
	// FlushTimeout is how long a stuck output may hold up the shutdown. Default 2 s.
	FlushTimeout time.Duration
	// OmitQuery leaves query strings out, for APIs whose filters are personal data.
	OmitQuery bool
}

// AccessLog writes one JSON object per request and never makes a request wait: when the
// output is slower than the requests, lines are dropped and counted.
type AccessLog struct {
	options AccessLogOptions
	out     io.Writer
	lines   chan *[]byte
	dropped atomic.Uint64
	buffers sync.Pool
}

// NewAccessLog returns a log on out. Lines wait in the queue until Run writes them.
func NewAccessLog(out io.Writer, o AccessLogOptions) *AccessLog {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	if o.FlushTimeout <= 0 {
		o.FlushTimeout = 2 * time.Second
	}
	return &AccessLog{
		options: o,
		out:     out,
		lines:   make(chan *[]byte, o.Queue),
		buffers: sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }},
	}
}

// Enabled says whether an answer of this status would be logged.
func (l *AccessLog) Enabled(status int) bool {
	return l != nil && StatusLevel(status) >= l.options.Level.Level()
}

// Log queues a line, or drops it when the queue is full. It keeps nothing of a. On a nil
// *AccessLog it does nothing.
func (l *AccessLog) Log(a *Access) {
	if !l.Enabled(a.Status) {
		return
	}
	buf := l.buffers.Get().(*[]byte)
	*buf = a.appendJSON((*buf)[:0], l.options.OmitQuery)
	select {
	case l.lines <- buf:
	default:
		l.dropped.Add(1)
		l.recycle(buf)
	}
}

// Dropped is the number of lines lost so far, to a full queue or a failing output.
func (l *AccessLog) Dropped() uint64 { return l.dropped.Load() }

// Run writes lines until ctx ends, then those still queued. It returns the first error of
// the output, or nil; an output that is still stuck after FlushTimeout is left behind.
func (l *AccessLog) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- l.write(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timeout := time.NewTimer(l.options.FlushTimeout)
	defer timeout.Stop()
	select {
	case err := <-done:
		return err
	case <-timeout.C:
		return context.DeadlineExceeded
	}
}

func (l *AccessLog) write(ctx context.Context) error {
	w := lineWriter{log: l, out: bufio.NewWriterSize(l.out, 64<<10)}
	for {
		select {
		case buf := <-l.lines:
			w.line(buf)
			w.queued()
		case <-ctx.Done():
			w.queued()
			return w.err
		}
	}
}

// lineWriter is the state of the one writing goroutine.
type lineWriter struct {
	log      *AccessLog
	out      *bufio.Writer
	unsaved  uint64 // lines in out
	reported uint64 // drops that the log already tells of
	err      error  // the output's first
}

// queued writes what is in the queue and flushes once it is empty.
func (w *lineWriter) queued() {
	for {
		select {
		case buf := <-w.log.lines:
			w.line(buf)
			continue
		default:
		}
		w.reportDrops()
		w.flush()
		return
	}
}

func (w *lineWriter) line(buf *[]byte) {
	// A failure shows in flush: bufio's errors stay.
	_, _ = w.out.Write(*buf)
	w.unsaved++
	w.log.recycle(buf)
}

func (w *lineWriter) reportDrops() {
	dropped := w.log.dropped.Load()
	if dropped == w.reported {
		return
	}
	b := append([]byte(nil), `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"warn","msg":"access log lines dropped","dropped":`...)
	b = strconv.AppendUint(b, dropped-w.reported, 10)
	_, _ = w.out.Write(append(b, "}\n"...))
	w.reported = dropped
}

// flush counts lines that the output refused as dropped and goes on: a full disk may be
// emptied.
func (w *lineWriter) flush() {
	if err := w.out.Flush(); err != nil {
		if w.err == nil {
			w.err = err
		}
		w.log.dropped.Add(w.unsaved)
		w.out.Reset(w.log.out)
	}
	w.unsaved = 0
}

func (l *AccessLog) recycle(buf *[]byte) {
	const keep = 16 << 10
	if cap(*buf) <= keep {
		l.buffers.Put(buf)
	}
}
