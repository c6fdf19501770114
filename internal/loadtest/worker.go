package loadtest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// client opens connections.
type client interface {
	// connect opens one, which breaks when ctx ends.
	connect(ctx context.Context) (link, error)
	// close is called when all links are closed.
	close()
}

// link carries one request at a time.
type link interface {
	// exchange sends a request and reads its answer, whose body is there only if it is to be kept, and until the next one. left
	// says that the link was left unused, be it for a moment: a server may have ended it then (RFC 9112, section 9.5).
	exchange(r *Request, left, keepBody bool) answer
	close()
}

// answer is what came of a request.
type answer struct {
	status  int
	body    []byte
	problem string // why none came; empty if one did
	// keep says that the link can carry another request. stale says that the server had closed it, it seems before it read this
	// request, and unsent that it certainly has not.
	keep, stale, unsent bool
	in, out             int // bytes
}

// worker sends requests one after the other, on a connection of its own.
type worker struct {
	*engine
	shard *shard
	jobs  chan job // gives an idle worker its next one; closed at the end of the run
	r     Request
}

// pauseClosed is how long a worker waits after a refused connection in a phase without a rate, which would spin otherwise.
const pauseClosed = 100 * time.Millisecond

func (w *worker) run(ctx context.Context) {
	for again := true; again && ctx.Err() == nil; again = w.dispatch.replace() {
		began := w.now()
		l, err := w.client.connect(ctx)
		if err == nil {
			w.dispatch.connected()
			if w.serve(ctx, l) {
				return
			}
			continue
		}
		j, ok := w.dispatch.refused()
		if !ok {
			continue
		}
		w.refuse(ctx, j, began, err)
		if w.load.Phases[j.phase].Closed() {
			pause(ctx, pauseClosed)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// serve answers requests until the connection breaks, or until the run is over.
func (w *worker) serve(ctx context.Context, l link) (over bool) {
	defer func() { l.close() }()
	for left := false; ; left = true {
		j, ok := w.dispatch.after(w)
		if !ok {
			left = true
			if j, ok = <-w.jobs; !ok {
				return true
			}
		}
		w.load.Source.Request(j.n, &w.r)
		shape := &w.shapes[w.r.Shape]
		s := sample{event: answered, phase: j.phase, shape: w.r.Shape, due: j.due, free: j.free, quiet: j.quiet, sent: w.now()}
		if w.load.Phases[j.phase].Closed() {
			s.event, s.due = answeredClosed, s.sent
		}
		a := l.exchange(&w.r, left, shape.Check != nil)
		if a.stale && (a.unsent || repeatable(&w.r)) && ctx.Err() == nil {
			l, a = w.repeat(ctx, l, shape)
		}
		s.done = w.now()
		w.finish(ctx, &s, a, shape)
		if !a.keep {
			return false
		}
		if unopened(a.problem) && s.event == answeredClosed {
			pause(ctx, pauseClosed)
		}
	}
}

// repeat sends a request once more on a new connection, as the server had closed the old one before it came.
func (w *worker) repeat(ctx context.Context, old link, shape *Shape) (link, answer) {
	old.close() // before there are more than may be
	l, err := w.client.connect(ctx)
	if err != nil {
		return old, answer{problem: problemOf(err, problemDial)}
	}
	return l, l.exchange(&w.r, false, shape.Check != nil)
}

// repeatable says whether a request that may or may not have been received can be sent twice, by net/http's rule (Transport).
func repeatable(r *Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Idempotency-Key") || strings.EqualFold(f.Name, "X-Idempotency-Key") {
			return true
		}
	}
	return false
}

// finish judges an answer and counts it.
func (w *worker) finish(ctx context.Context, s *sample, a answer, shape *Shape) {
	s.in, s.out, s.problem = a.in, a.out, a.problem
	switch {
	case a.problem != "" && ctx.Err() != nil:
		s.abandoned = true
	case a.problem != "":
		s.timed = a.problem == problemTimeout
	default:
		s.timed = true
		s.problem = judge(shape, a)
	}
	w.record.add(w.shard, s)
	if w.load.Each != nil && !s.abandoned {
		w.load.Each(Outcome{Shape: s.shape, Due: s.due, Sent: s.sent, Done: s.done, Problem: s.problem})
	}
}

func judge(shape *Shape, a answer) string {
	if shape.Check != nil {
		return shape.Check(a.status, a.body)
	}
	if a.status < 200 || a.status > 399 {
		return "status " + strconv.Itoa(a.status)
	}
	return ""
}

// refuse counts a request for which no connection could be opened, as one that was sent when that began.
func (w *worker) refuse(ctx context.Context, j job, began time.Duration, err error) {
	w.load.Source.Request(j.n, &w.r)
	s := sample{event: answered, phase: j.phase, shape: w.r.Shape, due: j.due, sent: max(j.due, began), done: w.now()}
	if w.load.Phases[j.phase].Closed() {
		s.event, s.due, s.sent = answeredClosed, began, began
	}
	w.finish(ctx, &s, answer{problem: problemOf(err, problemDial)}, &w.shapes[w.r.Shape])
}
