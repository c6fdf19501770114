package chaos

import (
	"errors"
	"math"
	"net"
	"sync"
	"time"
)

const (
	// chunk is how much is read at once.
	chunk = 32 << 10
	// waitingMost is how many bytes wait for a receiver that does not take them, before the sender is made to wait: little, so that it
	// notices.
	waitingMost = 64 << 10
	// flyingMost is how many are on their way because of latency: enough for 160 MB/s over 100 ms.
	flyingMost = 16 << 20
	// ticks is into how many pieces a second a narrow line cuts what goes over it.
	ticks = 50
)

// errEnded ends whoever writes to a connection that a fault has ended.
var errEnded = errors.New("the connection was ended by a fault")

// pipe is one flow of a connection: bytes are written to it, meet the faults of that flow, and arrive at its end in order.
type pipe struct {
	conn *conn
	flow Direction
	to   net.Conn

	// Of those who write, one at a time.
	writing sync.Mutex
	passed  int64                // bytes
	free    time.Time            // when the narrow line has passed on what it got
	last    time.Time            // when the last parcel is due
	gaps    map[*meeting]float64 // bytes until the next one that is corrupted

	// Between those who write and run.
	mu    sync.Mutex
	queue []parcel
	size  int
	more  chan struct{} // to run: there is something
	room  chan struct{} // to push: there is less
}

// parcel is bytes, or something to do after those before it.
type parcel struct {
	due   time.Time
	bytes []byte
	do    func()
}

func newPipe(c *conn, flow Direction, to net.Conn) *pipe {
	return &pipe{conn: c, flow: flow, to: to, gaps: map[*meeting]float64{}, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// Write sends bytes on their way; it waits for a narrow line, and for a receiver that is slow.
func (p *pipe) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	for written := 0; ; {
		faults := p.conn.meetings()
		line := p.line(faults)
		n, m := p.nextPoint(faults, len(b)-written)
		if piece := max(line/ticks, 1); piece < float64(n) {
			n, m = int(piece), nil
		}
		if n > 0 {
			piece := append([]byte(nil), b[written:written+n]...)
			if err := p.send(faults, line, piece); err != nil {
				return written, err
			}
			written += n
		}
		if m != nil {
			if err := p.fire(m, "after "+Size(p.passed).String()+" bytes"); err != nil {
				return written, err
			}
		} else if written == len(b) {
			return written, nil
		}
	}
}

// nextPoint is how many of n bytes may pass until a fault happens, and which.
func (p *pipe) nextPoint(faults []*meeting, n int) (int, *meeting) {
	var next *meeting
	for _, m := range faults {
		point := m.point()
		if point == nil || point.Bytes == 0 || !m.counts.has(p.flow) || m.isOver(p.flow) {
			continue
		}
		if left := max(int64(point.Bytes)-p.passed, 0); left <= int64(n) {
			n, next = int(left), m
		}
	}
	return n, next
}

// line is how many bytes a second may pass.
func (p *pipe) line(faults []*meeting) float64 {
	line := math.Inf(1)
	for _, m := range faults {
		if m.Bandwidth != 0 && m.acts.has(p.flow) {
			line = min(line, float64(m.Bandwidth))
			m.hit("to the " + p.flow.String())
		}
	}
	return line
}

// send passes bytes on when the line is free. The line may be ahead by one tick, which makes up for timers that are late.
func (p *pipe) send(faults []*meeting, line float64, b []byte) error {
	if !math.IsInf(line, 1) {
		if earliest := time.Now().Add(-time.Second / ticks); p.free.Before(earliest) {
			p.free = earliest
		}
		p.free = p.free.Add(time.Duration(float64(len(b)) / line * float64(time.Second)))
		if !p.conn.sleep(time.Until(p.free)) {
			return errEnded
		}
	}
	p.corrupt(faults, b)
	p.passed += int64(len(b))
	return p.push(parcel{due: p.due(faults), bytes: b})
}

// corrupt flips bits. It draws how many bytes stay whole until the next, instead of drawing for each.
func (p *pipe) corrupt(faults []*meeting, b []byte) {
	for _, m := range faults {
		if m.Corrupt == 0 || !m.acts.has(p.flow) {
			continue
		}
		random := m.random(p.flow)
		gap := func() float64 { return math.Floor(math.Log(1-random.Float64()) / math.Log1p(-float64(m.Corrupt))) }
		if _, begun := p.gaps[m]; !begun {
			p.gaps[m] = gap()
		}
		at := p.gaps[m]
		for ; at < float64(len(b)); at += 1 + gap() {
			b[int(at)] ^= 1 << random.IntN(8)
			m.hit("to the " + p.flow.String())
		}
		p.gaps[m] = at - float64(len(b))
	}
}

// due is when what is sent now arrives.
func (p *pipe) due(faults []*meeting) time.Time {
	due := time.Now()
	for _, m := range faults {
		if l := m.Latency; l.Delay != 0 && m.acts.has(p.flow) {
			d := l.Delay
			if l.Jitter > 0 {
				d += time.Duration((2*m.random(p.flow).Float64() - 1) * float64(l.Jitter))
			}
			due = due.Add(d)
			m.hit("to the " + p.flow.String())
		}
	}
	if due.Before(p.last) {
		due = p.last
	}
	p.last = due
	return due
}

// finish has something done when all that was written before has arrived, as late as bytes would be.
func (p *pipe) finish(do func()) {
	p.writing.Lock()
	defer p.writing.Unlock()
	_ = p.push(parcel{due: p.due(p.conn.meetings()), do: do}) // fails when the connection is over, and with it what was to be done
}

// hold keeps what is written from now on for so long.
func (p *pipe) hold(d time.Duration) {
	if now := time.Now(); p.last.Before(now) {
		p.last = now
	}
	p.last = p.last.Add(d)
}

// holdBack is hold for who does not write.
func (p *pipe) holdBack(d time.Duration) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.hold(d)
}

// fireHere is fire for who does not write.
func (p *pipe) fireHere(m *meeting, where string) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	return p.fire(m, where)
}

// fire has a fault happen when all that was written before has arrived. It returns errEnded when nothing may follow.
func (p *pipe) fire(m *meeting, where string) error {
	m.over(p.flow)
	if m.Delay != nil {
		m.hit(where)
		p.hold(m.Delay.By)
		return nil
	}
	do := func() { p.conn.happen(m, where) }
	if err := p.push(parcel{due: p.last, do: do}); err != nil || m.Blackhole == nil {
		return errEnded
	}
	return nil
}

func (p *pipe) push(item parcel) error {
	for {
		select {
		case <-p.conn.gone:
			return errEnded
		default:
		}
		p.mu.Lock()
		full := p.size >= flyingMost || p.size >= waitingMost && !time.Now().Before(p.queue[0].due)
		if !full || item.do != nil {
			p.queue = append(p.queue, item)
			p.size += len(item.bytes)
			p.mu.Unlock()
			signal(p.more)
			return nil
		}
		p.mu.Unlock()
		select {
		case <-p.room:
		case <-p.conn.gone:
			return errEnded
		}
	}
}

// signal wakes who waits for a channel of one place, now or when they look.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run brings what was written to its end, until the connection is over.
func (p *pipe) run() {
	for {
		item, ok := p.head()
		if !ok || !p.conn.sleep(time.Until(item.due)) || !p.conn.pass(p.flow) {
			return
		}
		if item.do != nil {
			item.do()
		} else if !p.conn.isClosed(p.flow) {
			if _, err := p.to.Write(item.bytes); err != nil {
				p.conn.unwritable(p.flow)
			}
		}
		p.mu.Lock()
		p.queue = p.queue[1:]
		p.size -= len(item.bytes)
		p.mu.Unlock()
		signal(p.room)
	}
}

// head waits for the next parcel; not ok when the connection is over.
func (p *pipe) head() (parcel, bool) {
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			defer p.mu.Unlock()
			return p.queue[0], true
		}
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-p.conn.gone:
			return parcel{}, false
		}
	}
}
