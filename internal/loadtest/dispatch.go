package loadtest

import (
	"slices"
	"sync"
	"time"
)

// job is a request that is due.
type job struct {
	n     uint64 // which of the run's requests
	phase int
	due   time.Duration
	// free says that a connection was free when it was due, or could have been opened had the pacer been in time: that it is sent
	// late is the generator's fault.
	free bool
	// quiet says that at most a tenth of the connections that there may be were busy.
	quiet bool
}

// dispatcher brings what is due and who can send it together. The pacer announces each request when it is due; a worker
// that gets free takes the first that is due, announced or not. Backlogs are no list: two copies of a phase's arrivals
// are read at two speeds, the pacer's at the time and taken as fast as requests can be sent.
//
// As long as announced requests wait, no worker is idle, and one is busy or opens a connection: whoever of them gets free goes on.
type dispatcher struct {
	now   func() time.Duration // since the run's start
	spawn func()               // starts a worker, which then calls connected or refused

	mu sync.Mutex
	// The phase.
	phase      int
	begin, end time.Duration
	closed     bool
	limit      int // of workers; of those that are busy in a phase without a rate
	taken      arrivals
	first      time.Duration // of those not yet taken, since the phase's beginning
	more       bool          // there is a first
	next       uint64        // the first's number
	waiting    int           // announced and not taken; negative when taken before they were announced
	// The workers.
	idle             []*worker // most recently used last
	workers, opening int
	mostOpen         int       // workers in phases with a rate
	opened           sync.Cond // opening has changed
	sent             uint64
	over             bool
}

// start begins a phase, and returns the number of its first request. What was not taken of the last phase, never is: skip is
// the number after its last one, if it had a rate.
func (d *dispatcher) start(phase int, p Phase, begin time.Duration, a arrivals, limit int, skip uint64) (first uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.next = skip
	}
	first = d.next
	d.phase, d.begin, d.end, d.closed, d.limit = phase, begin, begin+p.Duration, p.Closed(), limit
	d.taken, d.waiting = a, 0
	d.first, d.more = d.taken.next()
	if !d.closed {
		d.mostOpen = max(d.mostOpen, d.workers)
	}
	for d.closed && d.busy() < d.limit && d.wake() {
	}
	return first
}

func (d *dispatcher) busy() int { return d.workers - len(d.idle) }

// wake gives the next request to an idle worker, or starts one if there is none. It does neither when the phase is over.
func (d *dispatcher) wake() bool {
	last := len(d.idle) - 1
	if last < 0 {
		return d.grow()
	}
	j, ok := d.take(true)
	if ok {
		w := d.idle[last]
		d.idle[last] = nil
		d.idle = d.idle[:last]
		w.jobs <- j
	}
	return ok
}

func (d *dispatcher) grow() bool {
	if d.now() >= d.end {
		return false
	}
	d.workers++
	d.opening++
	if !d.closed {
		d.mostOpen = max(d.mostOpen, d.workers)
	}
	d.spawn()
	return true
}

// warm starts n workers before the first phase, and returns when each has opened its connection or failed to. Those that did are idle.
func (d *dispatcher) warm(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range n {
		d.workers++
		d.opening++
		d.spawn()
	}
	d.mostOpen = d.workers
	for d.opening > 0 {
		d.opened.Wait()
	}
}

// announce says that another request is due.
func (d *dispatcher) announce() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting++; d.waiting <= 0 {
		return
	}
	if len(d.idle) > 0 || d.workers < d.limit && d.opening < d.waiting {
		d.wake()
	}
}

// take is the first request that is due. free is as in job.
func (d *dispatcher) take(free bool) (job, bool) {
	now := d.now()
	j := job{n: d.next, phase: d.phase, due: now, free: free, quiet: d.busy()-d.opening <= max(1, d.limit/10)}
	switch {
	case d.over || now >= d.end:
		return j, false
	case d.closed:
		d.next++
		d.sent++
		return j, true
	case !d.more || d.begin+d.first > now:
		return j, false
	}
	j.due = d.begin + d.first
	d.first, d.more = d.taken.next()
	d.next++
	d.sent++
	d.waiting--
	return j, true
}

// connected is called when a worker has opened its connection, before it asks for a request.
func (d *dispatcher) connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opening--
	d.opened.Signal()
}

// after is what a worker does next, which has just opened its connection or answered a request. Without ok it is idle, and
// gets its next request over its channel.
func (d *dispatcher) after(w *worker) (j job, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed || d.busy() <= d.limit {
		// Nobody has come to announce it, though somebody could have sent it.
		missed := d.waiting <= 0 && d.workers < d.limit
		j, ok = d.take(len(d.idle) > 0 || missed)
	}
	switch {
	case ok:
	case d.over:
		close(w.jobs)
	default:
		d.idle = append(d.idle, w)
	}
	return j, ok
}

// refused is called when a connection could not be opened: the first announced request has failed by it.
func (d *dispatcher) refused() (job, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opening--
	d.opened.Signal()
	if !d.closed && d.waiting <= 0 {
		return job{}, false
	}
	return d.take(false)
}

// replace says whether a worker without a connection is to open another one. If not, the worker ends.
func (d *dispatcher) replace() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := d.waiting > d.opening
	if d.closed {
		wanted = d.busy() <= d.limit
	}
	if wanted && !d.over && d.now() < d.end {
		d.opening++
		return true
	}
	d.workers--
	return false
}

// finish lets the workers end when they have answered what they do.
func (d *dispatcher) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	for _, w := range d.idle {
		close(w.jobs)
	}
	d.idle = slices.Delete(d.idle, 0, len(d.idle))
}

// standing is how many requests were sent, how many of them are under way, and by how much the next one that is due is late.
func (d *dispatcher) standing() (sent uint64, inFlight int, behind time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); !d.closed && d.more && now < d.end {
		behind = max(0, now-d.begin-d.first)
	}
	return d.sent, d.workers - len(d.idle) - d.opening, behind
}
