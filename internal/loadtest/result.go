package loadtest

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what became of a Load.
type Result struct {
	// Target and Protocol ("HTTP/1.1", "HTTP/2") as they were; Open is false where no phase had a rate.
	Target, Protocol string
	Open             bool
	Seed             uint64
	Started          time.Time
	// Took is the time until the last answer.
	Took time.Duration
	// Total has all but warm-ups. Shapes and Groups have the same by Shape.Name and Shape.Group, in the order of the source.
	Total          Row
	Shapes, Groups []Row
	// Phases has each phase in its order, warm-ups too.
	Phases []PhaseRow
	// Series has intervals of equal length without gaps, over all phases. There are at most 600: as time goes on, two become one.
	Series []Interval
	// Generator is how well the requests were sent.
	Generator Generator
	// Faults are what was done to the connections meanwhile.
	Faults []Fault
}

// Row counts requests.
type Row struct {
	Name string
	// Due is how many were to be sent, Sent how many were, and Good how many answers were right. What could not be sent before its
	// phase was over is not sent; it has no shape, so that it is missing from the Due of Shapes and Groups. A request for which no
	// connection could be opened counts as sent.
	Due, Sent, Good uint64
	// Errors counts all other answers and those that never came, by kind: what Shape.Check has said, "timeout", "refused", "reset",
	// "cut off", "not HTTP", "too large", "tls", "dial".
	Errors map[string]uint64
	// Latency of the answers that came, right or wrong, from when the request was due, in microseconds, with three digits, up to an
	// hour. Own counts from when it was sent instead, as tools with a closed loop do. A timeout counts with the time that was
	// waited, as leaving it out would make a server look faster the slower it is; other errors are only in Errors.
	Latency, Own *hdrhistogram.Histogram
	// BytesIn and BytesOut are what went over the connections; over HTTP/2, what bodies had.
	BytesIn, BytesOut uint64
}

// PhaseRow is a phase's Row.
type PhaseRow struct {
	Row
	Phase Phase
	// Start counts from Result.Started; Took is until its time was over, and does not wait for the last answers.
	Start, Took time.Duration
}

// Interval is what was counted in a part of the time, by when requests were due.
type Interval struct {
	// Start counts from Result.Started.
	Start, Length   time.Duration
	Due, Sent, Good uint64
	Errors          uint64
	// Latency as in Row, with two digits.
	Latency *hdrhistogram.Histogram
	// Offered is the rate that was asked for, in requests a second, on average.
	Offered float64
}

// Generator is how well the requests were sent.
type Generator struct {
	// Late is how long after they were due requests were sent though a connection was free, in microseconds: the generator's own
	// fault.
	Late *hdrhistogram.Histogram
	// Waited is how many were sent more than a millisecond late as no connection was free: all were busy, or being opened.
	Waited uint64
	// Connections is the most that were open at once, Opened how many were opened in all.
	Connections, Opened uint64
	// CPU is the processor time that the process has taken, Cores how many it may use.
	CPU   time.Duration
	Cores int
	// Bottleneck says, by the rules in bottleneck.go, why the figures are the generator's and not the server's, and what to do about it; empty if they are not.
	Bottleneck string
}

// Fault is something that was done to the connections on purpose.
type Fault struct {
	// Start counts from Result.Started; Length is 0 for what has no duration.
	Start, Length time.Duration
	Name          string
}

// Progress is what there is so far.
type Progress struct {
	// Elapsed and Whole are the time that has passed and that of all phases.
	Elapsed, Whole time.Duration
	Phase          Phase
	// Offered is the rate that is asked for now and Achieved the one at which requests were sent since the last call, both in
	// requests a second.
	Offered, Achieved float64
	InFlight          int
	// Since has the answers since the last call, Total those since the start, both with warm-ups.
	Since, Total Row
	// Behind is by how much the next request that is due is late.
	Behind time.Duration
}
