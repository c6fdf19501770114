package loadtest

import (
	"fmt"
	"time"
)

// When the figures are the generator's.
const (
	mostCPU       = 0.90             // of its cores
	mostLate      = time.Millisecond // the 99th percentile of Generator.Late ...
	mostLateShare = 0.05             // ... and of that of Latency, above both
	leastSent     = 0.98             // of what was due, with connections to be had
	mostWaited    = 0.01             // of what was sent, with MaxConnections open
	mostBusy      = 0.80             // of MaxConnections, by what the server takes in quiet
)

// bottleneck finds why a result tells of the generator rather than of the server, by these rules, the first of which counts:
//
//   - It has used more than 90 % of its cores.
//   - It was late though connections were free: the 99th percentile of Late is over a millisecond, and over 5 % of Latency's.
//   - More than 1 % of the requests waited for a connection, all that it may open being busy, and they had to: the highest rate
//     times what answers take while at most a tenth of the connections are busy (Little's law) is more than 80 % of them. Where
//     it is less, the server has stalled or is overloaded: more connections would but hide where its queue is.
//   - It has sent less than 98 % of what was due without ever having opened all connections that it may.
func (e *engine) bottleneck(res *Result, elapsed time.Duration) string {
	g, t := &res.Generator, &res.Total
	if share := g.CPU.Seconds() / (elapsed.Seconds() * float64(g.Cores)); share > mostCPU {
		return fmt.Sprintf("the generator used %.0f %% of its %d cores: give it more, or run it on a machine of its own", 100*share, g.Cores)
	}
	if e.record.sentOpen == 0 {
		return ""
	}
	late, latency := g.Late.ValueAtQuantile(99), t.Latency.ValueAtQuantile(99)
	if late > mostLate.Microseconds() && float64(late) > mostLateShare*float64(latency) {
		return fmt.Sprintf("requests were sent late though connections were free (99th percentile %v of %v): "+
			"run the generator on a machine with less else to do, or lower the rate", microseconds(late), microseconds(latency))
	}
	full := e.dispatch.mostOpen >= e.load.MaxConnections
	waited := float64(g.Waited) / float64(e.record.sentOpen)
	highest := 0.0
	for _, p := range e.load.Phases {
		highest = max(highest, p.From, p.To)
	}
	underWay := highest * e.record.quietOwn.value()
	switch {
	case full && waited > mostWaited && underWay > mostBusy*float64(e.load.MaxConnections):
		return fmt.Sprintf("all %d connections were busy for %.0f %% of the requests; at this rate even a quiet server has some %.0f under way at once: raise the maximum",
			e.load.MaxConnections, 100*waited, underWay)
	case !full && float64(t.Sent) < leastSent*float64(t.Due):
		return fmt.Sprintf("%d of %d requests were sent, and connections were to be had: lower the rate, or give the generator more cores", t.Sent, t.Due)
	}
	return ""
}

func microseconds(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
