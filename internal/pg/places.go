package pg

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// places are as many turns at the pool's connections as the pool may have. Who has one gets a connection without
// waiting for others. They go round first come, first served, except that a read may be taken along by another one
// (see trip.takeAlong).
type places struct {
	mu          sync.Mutex
	free        int
	first, last *waiter
	length      int // of the queue

	waiting  atomic.Int64 // have no answer to come yet
	timeouts atomic.Int64
}

// waiter is somebody without a place.
type waiter struct {
	fellow

	// turn gets nil for a place of the waiter's own, for a read the trip whose answer it may now receive, and for a write
	// served when another one has done it.
	turn       chan *trip
	state      waiterState
	prev, next *waiter
}

// fellow is a read or a write that another one may take along; the zero value is none.
type fellow struct {
	tx         *Tx
	statements []Statement
	write      *member // nil for a read
}

// served is no trip.
var served = new(trip)

type waiterState int

const (
	idle     waiterState = iota
	queued               // is in the queue
	boarding             // another trip makes messages of its statements
	boarded              // they are on the way; its turn comes when those before it have theirs
	leaving              // gives up, while it is boarding
	gone                 // has given up
)

var waiterPool = sync.Pool{New: func() any { return &waiter{turn: make(chan *trip, 1)} }}

// placeTimers are stopped timers.
var placeTimers = sync.Pool{New: func() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}}

// take waits its turn: for a place, with nil, or where f may be taken along, for a trip that has been begun with it, or
// served. Errors are ErrAcquireTimeout or ctx's.
func (p *places) take(ctx context.Context, timeout time.Duration, f fellow) (*trip, error) {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.mu.Unlock()
		return nil, nil
	}
	w := waiterPool.Get().(*waiter)
	w.fellow = f
	p.push(w)
	p.mu.Unlock()
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	timer := placeTimers.Get().(*time.Timer)
	timer.Reset(timeout)
	defer func() {
		timer.Stop() // and nothing is left in its channel (https://pkg.go.dev/time#Timer.Stop)
		placeTimers.Put(timer)
	}()
	select {
	case t := <-w.turn:
		w.recycle()
		return t, nil
	case <-ctx.Done():
		return p.leave(w, ctx.Err())
	case <-timer.C:
		p.timeouts.Add(1)
		return p.leave(w, ErrAcquireTimeout)
	}
}

// leave gives up waiting, unless the turn has come in the same moment, or a write is being done. Nobody uses the fellow
// after it.
func (p *places) leave(w *waiter, err error) (*trip, error) {
	p.mu.Lock()
	switch {
	case w.state == queued:
		p.remove(w)
	case w.state == boarded && w.write == nil:
		w.state = gone // whoever has the connection skips it; it is not recycled
		p.mu.Unlock()
		return nil, err
	case w.state == boarding && w.write == nil:
		w.state = leaving
		p.mu.Unlock()
		<-w.turn
		return nil, err
	default:
		p.mu.Unlock()
		t := <-w.turn
		w.recycle()
		return t, nil
	}
	p.mu.Unlock()
	w.recycle()
	return nil, err
}

func (w *waiter) recycle() {
	*w = waiter{turn: w.turn}
	waiterPool.Put(w)
}

// give hands a place to the first in the queue.
func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.first
	if w == nil {
		p.free++
		return
	}
	p.remove(w)
	w.turn <- nil
}

// board takes reads out of the queue that can be taken along, up to half of the queue and as many as dst has room for, and
// appends them to dst. None of them leaves before depart.
func (p *places) board(dst []*waiter) []*waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := min(cap(dst), (p.length+1)/2)
	for w := p.first; w != nil && len(dst) < most; {
		next := w.next
		if w.tx != nil && w.write == nil {
			p.remove(w)
			w.state = boarding
			dst = append(dst, w)
		}
		w = next
	}
	return dst
}

// gather takes writes out of the queue that may be done together with lead, as many as dst has room for, and appends
// them to dst. They wait until done.
func (p *places) gather(dst []*waiter, lead fellow) []*waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := p.first; w != nil && len(dst) < cap(dst); {
		next := w.next
		if w.write != nil && w.joins(lead) {
			p.remove(w)
			w.state = boarding
			dst = append(dst, w)
		}
		w = next
	}
	return dst
}

// depart lets those leave again that board has taken.
func (p *places) depart(taken []*waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range taken {
		if w.state == leaving {
			w.state = gone
			w.turn <- nil
			continue
		}
		w.state = boarded
	}
}

// pass gives a trip that was taken along to the one that waits for it. It reports whether that is still there.
func (p *places) pass(w *waiter, t *trip) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.state == gone {
		return false
	}
	w.state = idle
	w.turn <- t
	return true
}

func (p *places) push(w *waiter) {
	w.state = queued
	w.prev, w.next = p.last, nil
	if p.last == nil {
		p.first = w
	} else {
		p.last.next = w
	}
	p.last = w
	p.length++
}

func (p *places) remove(w *waiter) {
	if w.prev == nil {
		p.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		p.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.state = nil, nil, idle
	p.length--
}
