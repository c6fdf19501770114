package telemetry

import (
	"strconv"
	"time"
)

// Phase is a stage of serving a request, in the order of PostgREST's Server-Timing header
// (https://postgrest.org/en/stable/references/observability.html#server-timing-header).
type Phase int

const (
	// PhaseJWT is the check of the caller's token.
	PhaseJWT Phase = iota
	// PhaseParse is the reading of URL, headers and body.
	PhaseParse
	// PhasePlan is the making of the SQL.
	PhasePlan
	// PhaseTransaction is the database's part.
	PhaseTransaction
	// PhaseResponse is the making of status, headers and body.
	PhaseResponse

	phases = int(PhaseResponse) + 1
)

func (p Phase) String() string {
	switch p {
	case PhaseJWT:
		return "jwt"
	case PhaseParse:
		return "parse"
	case PhasePlan:
		return "plan"
	case PhaseTransaction:
		return "transaction"
	case PhaseResponse:
		return "response"
	}
	return "phase" + strconv.Itoa(int(p))
}

// Timing measures how long the phases of a request take. The zero value is ready.
type Timing struct {
	spent [phases]time.Duration
	last  time.Time
}

// Start begins the first phase. Without it no phase is measured: reading the clock takes its time, too.
func (t *Timing) Start() { t.last = time.Now() }

// Mark adds the time since the last Start or Mark to phase p. A phase may come more than once.
func (t *Timing) Mark(p Phase) {
	if t.last.IsZero() {
		return
	}
	now := time.Now()
	t.Add(p, now.Sub(t.last))
	t.last = now
}

// Add adds time measured elsewhere to phase p.
func (t *Timing) Add(p Phase, d time.Duration) {
	if p >= 0 && int(p) < phases {
		t.spent[p] += d
	}
}

// Spent is the time that phase p has taken so far.
func (t *Timing) Spent(p Phase) time.Duration {
	if p < 0 || int(p) >= phases {
		return 0
	}
	return t.spent[p]
}

// AppendHeader appends the value of the Server-Timing header: all five phases, in
// milliseconds with one decimal. A phase that did not happen is 0.0.
func (t *Timing) AppendHeader(dst []byte) []byte {
	for p := range Phase(phases) {
		if p > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, p.String()...)
		dst = append(dst, ";dur="...)
		ms := float64(t.spent[p]) / float64(time.Millisecond)
		dst = strconv.AppendFloat(dst, ms, 'f', 1, 64)
	}
	return dst
}

// Header is AppendHeader as a string, for one allocation.
func (t *Timing) Header() string {
	var buf [128]byte
	return string(t.AppendHeader(buf[:0]))
}
