package chaos

import (
	"errors"
	"slices"
	"time"
)

// errClosed is what a closed proxy answers.
var errClosed = errors.New("the proxy is closed")

// Set has these faults instead of all that there were. Their times count from now. Faults at messages are for connections that
// are opened from now on, unless ProxyConfig.Protocol says so.
func (p *Proxy) Set(faults ...Fault) error {
	if err := oneProtocol(p.config.Protocol, faults); err != nil {
		return err
	}
	before := p.all()
	_, err := p.add(faults)
	p.remove(before...) // last, so that what stays as it was is not lifted in between
	return err
}

// Inject adds a fault to those that there are, until end is called or they are Set.
func (p *Proxy) Inject(f Fault) (end func(), err error) {
	if err := oneProtocol(p.protocol(), []Fault{f}); err != nil {
		return nil, err
	}
	added, err := p.add([]Fault{f})
	return func() { p.remove(added...) }, err
}

// Faults are those that are set, in force now or not.
func (p *Proxy) Faults() []Fault {
	faults := []Fault{}
	for _, s := range p.all() {
		faults = append(faults, s.Fault)
	}
	return faults
}

func (p *Proxy) all() []*setting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.set)
}

// protocol is what must be understood for all faults that are set.
func (p *Proxy) protocol() Protocol {
	if p.config.Protocol != "" {
		return p.config.Protocol
	}
	for _, s := range p.all() {
		if needed := s.protocol(); needed != "" {
			return needed
		}
	}
	return ""
}

func (p *Proxy) add(faults []Fault) ([]*setting, error) {
	var added []*setting
	var lives []*live
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	for _, f := range faults {
		p.settings++
		s := &setting{Fault: f, id: p.settings, stop: make(chan struct{})}
		var first *live
		if f.At == 0 {
			first = s.live(p.config.Seed, 1)
			lives = append(lives, first)
		}
		if f.At != 0 || f.For != 0 {
			p.done.Go(func() { p.schedule(s, first) })
		}
		added = append(added, s)
	}
	p.set = append(p.set, added...)
	p.change(append(slices.Clone(p.plan.lives), lives...))
	p.mu.Unlock()
	p.begun(lives...)
	return added, nil
}

// schedule has a fault in force at its times. The first live is it already, if it is not nil.
func (p *Proxy) schedule(s *setting, l *live) {
	windows := uint64(0)
	window{s.At, s.For, s.Every}.run(s.stop, func() {
		if windows++; windows == 1 && l != nil {
			return
		}
		l = s.live(p.config.Seed, windows)
		p.mu.Lock()
		p.change(append(slices.Clone(p.plan.lives), l))
		p.mu.Unlock()
		p.begun(l)
	}, func() { p.end(l) })
}

// begun tells of faults that are in force now, and has connections meet them that there are.
func (p *Proxy) begun(lives ...*live) {
	if len(lives) == 0 {
		return
	}
	for _, l := range lives {
		p.tell(Event{Action: Begun, Fault: l.Name, Detail: l.setting.String()})
	}
	for _, c := range p.connections() {
		c.meetAtOnce()
	}
}

// end has a fault not in force any more, if it is.
func (p *Proxy) end(l *live) {
	p.mu.Lock()
	left := slices.DeleteFunc(slices.Clone(p.plan.lives), func(other *live) bool { return other == l })
	ended := len(left) < len(p.plan.lives)
	p.change(left)
	p.mu.Unlock()
	if ended {
		p.tell(Event{Action: Ended, Fault: l.Name})
	}
}

// change puts other faults in force. The caller holds the lock.
func (p *Proxy) change(lives []*live) {
	close(p.plan.changed)
	p.plan = &plan{lives: lives, changed: make(chan struct{})}
}

// remove ends faults for good, in force or not.
func (p *Proxy) remove(settings ...*setting) {
	for _, s := range settings {
		p.mu.Lock()
		n := len(p.set)
		p.set = slices.DeleteFunc(p.set, func(other *setting) bool { return other == s })
		removed := len(p.set) < n
		lives := p.plan.lives
		p.mu.Unlock()
		if !removed {
			continue
		}
		close(s.stop)
		for _, l := range lives {
			if l.setting == s {
				p.end(l)
			}
		}
	}
}

// window is when something is in force, counted from now.
type window struct{ at, length, every time.Duration }

// run calls begin and end in turn until there is nothing more to come, or stop is closed. What has begun is ended.
func (w window) run(stop <-chan struct{}, begin, end func()) {
	start := time.Now()
	for n := time.Duration(0); ; n++ {
		if !until(start.Add(w.at+n*w.every), stop) {
			return
		}
		begin()
		if w.length == 0 {
			<-stop
		}
		more := until(start.Add(w.at+n*w.every+w.length), stop)
		end()
		if !more || w.every == 0 {
			return
		}
	}
}

// until waits for a time; false when stop is closed before.
func until(t time.Time, stop <-chan struct{}) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		select {
		case <-stop:
			return false
		default:
			return true
		}
	case <-stop:
		return false
	}
}
