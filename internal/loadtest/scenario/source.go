package scenario

import (
	"strconv"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// source is a scenario that is ready to be sent. It never changes, so that many goroutines may use it, and each request
// depends on the seed and its number alone.
type source struct {
	seed      uint64
	shapes    []loadtest.Shape
	kinds     []kind
	sums      []uint64 // of the kinds' weights
	variables []variable
}

// kind is a request of the scenario with its templates taken apart.
type kind struct {
	shape  int // the first one of its groups
	group  int // slot of the group's variable, or -1
	method string
	path   []part
	header []headerField
	body   []part
	// uses are the variables whose values the request has; the place of one among them is its slot.
	uses []int
}

// part of a template: a text, or the value of slot-1.
type part struct {
	text   string
	slot   int
	escape escape
}

type headerField struct {
	name  string
	parts []part
}

// slot of a variable, which the request has from now on.
func (k *kind) slot(variable int) int {
	for slot, v := range k.uses {
		if v == variable {
			return slot
		}
	}
	k.uses = append(k.uses, variable)
	return len(k.uses) - 1
}

// streamOfKinds has the dice by which a request's kind is drawn.
const streamOfKinds = 0

func (s *source) Shapes() []loadtest.Shape { return s.shapes }

func (s *source) Request(n uint64, r *loadtest.Request) {
	which := roll(s.seed, streamOfKinds, n)
	k := &s.kinds[which.weighted(s.sums)]
	var few [16]value
	values := few[:0]
	for _, v := range k.uses {
		values = append(values, s.variables[v].value(s.seed, n))
	}
	r.Shape = k.shape
	if k.group >= 0 {
		r.Shape += values[k.group].index
	}
	r.Method = k.method
	r.Path = s.render(r.Path[:0], k, k.path, values)
	r.Body = s.render(r.Body[:0], k, k.body, values)
	r.Header = r.Header[:0]
	for i := range k.header {
		h := &k.header[i]
		r.Header = append(r.Header, loadtest.Field{Name: h.name, Value: s.text(k, h.parts, values)})
	}
}

// render appends a template with its values.
func (s *source) render(b []byte, k *kind, parts []part, values []value) []byte {
	for i := range parts {
		p := &parts[i]
		if p.slot == 0 {
			b = append(b, p.text...)
			continue
		}
		v := &values[p.slot-1]
		if v.isInt {
			b = strconv.AppendInt(b, v.number, 10) // the same in all notations
		} else {
			b = p.escape.append(b, v.text, s.variables[k.uses[p.slot-1]].numbers)
		}
	}
	return b
}

// text is render for headers, which need a string; most are there already.
func (s *source) text(k *kind, parts []part, values []value) string {
	if len(parts) == 1 && parts[0].slot == 0 {
		return parts[0].text
	}
	if len(parts) == 1 && !values[parts[0].slot-1].isInt {
		return values[parts[0].slot-1].text
	}
	var few [256]byte
	return string(s.render(few[:0], k, parts, values))
}
